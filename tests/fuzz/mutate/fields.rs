//! Protobuf fields, without knowing what they mean: dropped, doubled, moved, and given other values.

use crate::random::Random;

/// No ONNX file nests messages deeper where it matters.
const DEPTH: usize = 7;

struct Field {
    number: u64,
    value: Value,
}

enum Value {
    Integer(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// A file with some fields changed. What is no protobuf stays as it is.
pub fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let Some(mut fields) = message(bytes, 0) else { return bytes.to_vec() };
    for _ in 0..1 + random.below(3) {
        change(&mut fields, random);
    }
    let mut out = Vec::with_capacity(bytes.len());
    write(&fields, &mut out);
    out
}

fn change(fields: &mut Vec<Field>, random: &mut Random) {
    if fields.is_empty() {
        return;
    }
    let at = random.below(fields.len());
    if let Value::Message(inner) = &mut fields[at].value
        && random.percent(85)
    {
        return change(inner, random);
    }
    match random.below(6) {
        0 => drop(fields.remove(at)),
        1 => {
            let twin = copy(&fields[at]);
            fields.insert(at, twin);
        }
        2 => {
            let other = random.below(fields.len());
            fields.swap(at, other);
        }
        3 => {
            // The value of a neighbour: a name used twice, a cycle, a wire of another kind.
            let neighbour = copy(&fields[random.below(fields.len())]);
            fields[at].value = neighbour.value;
        }
        4 => fields[at].number = 1 + random.below(26) as u64,
        _ => match &mut fields[at].value {
            Value::Integer(value) => *value = random.boundary() as u64,
            Value::Fixed64(value) => *value = random.bits().to_le_bytes(),
            Value::Fixed32(value) => *value = random.boundary_float().to_le_bytes(),
            Value::Bytes(value) => match random.below(3) {
                0 => value.clear(),
                1 => super::bytes::mutate(value, random),
                _ => {
                    *value =
                        random.pick(&["x", "", "ai.onnx.ml", "../../etc/passwd", "\u{1b}[2J\n"]).as_bytes().to_vec()
                }
            },
            Value::Message(inner) => inner.clear(),
        },
    }
}

fn copy(field: &Field) -> Field {
    let value = match &field.value {
        Value::Integer(value) => Value::Integer(*value),
        Value::Fixed64(value) => Value::Fixed64(*value),
        Value::Fixed32(value) => Value::Fixed32(*value),
        Value::Bytes(value) => Value::Bytes(value.clone()),
        Value::Message(fields) => Value::Message(fields.iter().map(copy).collect()),
    };
    Field { number: field.number, value }
}

/// The fields of a message, where all its bytes are some.
fn message(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = integer(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Integer(integer(&mut bytes)?),
            1 => Value::Fixed64(bytes.split_off(..8)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(integer(&mut bytes)?).ok()?;
                let content = bytes.split_off(..length)?;
                // A text may look like a message; then its bytes are changed as if it were one.
                match (depth < DEPTH && content.len() > 1).then(|| message(content, depth + 1)).flatten() {
                    Some(inner) => Value::Message(inner),
                    None => Value::Bytes(content.to_vec()),
                }
            }
            5 => Value::Fixed32(bytes.split_off(..4)?.try_into().ok()?),
            _ => return None,
        };
        fields.push(Field { number: key >> 3, value });
    }
    Some(fields)
}

fn integer(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn write(fields: &[Field], out: &mut Vec<u8>) {
    for Field { number, value } in fields {
        let kind = match value {
            Value::Integer(_) => 0,
            Value::Fixed64(_) => 1,
            Value::Bytes(_) | Value::Message(_) => 2,
            Value::Fixed32(_) => 5,
        };
        write_integer(number << 3 | kind, out);
        match value {
            Value::Integer(value) => write_integer(*value, out),
            Value::Fixed64(value) => out.extend(value),
            Value::Fixed32(value) => out.extend(value),
            Value::Bytes(value) => {
                write_integer(value.len() as u64, out);
                out.extend(value);
            }
            Value::Message(fields) => {
                let mut inner = Vec::new();
                write(fields, &mut inner);
                write_integer(inner.len() as u64, out);
                out.extend(inner);
            }
        }
    }
}

fn write_integer(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
