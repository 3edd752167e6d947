//! Numbers that look random and are the same on every machine.

/// xorshift64*.
pub struct Random(u64);

impl Random {
    /// The sequence number `stream` of a seed.
    pub fn new(seed: u64, stream: u64) -> Random {
        // One step of splitmix64, so that neighbouring streams have nothing in common.
        let mut state = seed.wrapping_add(stream.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Random((state ^ (state >> 31)) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to `end` − 1; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// From `first` to `last`.
    pub fn within(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1) as usize) as i64
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of at least one.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// From −2 to 2, where activation functions bend.
    pub fn float(&mut self) -> f32 {
        (self.below(4001) as f32 - 2000.0) / 1000.0
    }

    /// A number at which arithmetic breaks, or a small one.
    pub fn boundary(&mut self) -> i64 {
        const NUMBERS: [i64; 22] = [
            0,
            -1,
            1,
            2,
            3,
            -2,
            7,
            16,
            255,
            256,
            4096,
            4097,
            65_536,
            1 << 24,
            1 << 27,
            1 << 31,
            -(1 << 31),
            1 << 32,
            1 << 40,
            1 << 62,
            i64::MAX,
            i64::MIN,
        ];
        *self.pick(&NUMBERS)
    }

    pub fn boundary_float(&mut self) -> f32 {
        *self.pick(&[0.0, -1.0, 1e-45, 1e-6, 3e38, -3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN])
    }
}
