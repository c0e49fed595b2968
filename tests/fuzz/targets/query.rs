#![no_main]

#[path = "../properties.rs"]
mod properties;
#[path = "../../lists/xml.rs"]
mod xml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::query(bytes));
