//! What MP4 is made of.

/// Boxes in memory: 4 bytes of size, 4 of name, content.
#[derive(Default)]
pub struct Boxes(pub Vec<u8>);

impl Boxes {
    pub fn put(&mut self, name: &str, content: impl FnOnce(&mut Boxes)) {
        let start = self.0.len();
        self.u32(0);
        self.text(name);
        content(self);
        let size = ((self.0.len() - start) as u32).to_be_bytes();
        self.0[start..start + 4].copy_from_slice(&size);
    }

    pub fn full(&mut self, name: &str, version: u32, flags: u32, content: impl FnOnce(&mut Boxes)) {
        self.put(name, |out| {
            out.u32(version << 24 | flags);
            content(out);
        });
    }

    /// Returns where the number is.
    pub fn u64(&mut self, value: u64) -> usize {
        self.bytes(&value.to_be_bytes());
        self.0.len() - 8
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// Created and changed; the format counts seconds from 1904.
    pub fn dates(&mut self, seconds: u64) {
        const FROM_1904_TO_1970: u64 = 2_082_844_800;
        self.u64(seconds + FROM_1904_TO_1970);
        self.u64(seconds + FROM_1904_TO_1970);
    }

    /// Neither turned nor stretched.
    pub fn matrix(&mut self) {
        [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000].into_iter().for_each(|word| self.u32(word));
    }
}
