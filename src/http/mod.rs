//! (to be written)

pub mod assets;
pub mod chart;
pub mod pages;
