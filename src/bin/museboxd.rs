//! museboxd.

fn main() {}
