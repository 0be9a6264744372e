//! Many users at once, with events shuffled, repeated or lost, against books that are computed apart.

pub mod loss;
pub mod shuffle;
