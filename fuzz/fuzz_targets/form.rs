#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loam_fuzz::form(bytes));
