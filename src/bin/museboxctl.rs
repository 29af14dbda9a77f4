//! museboxctl.

fn main() {}
