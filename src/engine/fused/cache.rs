//! How much a core's own cache holds.

/// What is taken where the system does not say: the second-level cache of a Raspberry Pi 5's cores.
const USUAL: usize = 512 << 10;

/// Bytes of the second-level cache.
pub(super) fn second_level() -> usize {
    let size = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index2/size").ok();
    let kilobytes = size.and_then(|text| text.trim().strip_suffix('K')?.parse::<usize>().ok());
    kilobytes.filter(|kilobytes| (64..=1 << 16).contains(kilobytes)).map_or(USUAL, |kilobytes| kilobytes << 10)
}
