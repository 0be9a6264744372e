//! Many users at once, with events shuffled, repeated or lost, against books that are computed apart.

mod loss;
mod shuffle;

/// A generator of numbers that begins with a seed (xorshift64*): the same lives each time.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % limit
    }
}
