//! Commands of the program beside `run`.

pub(crate) mod dead_letters;
