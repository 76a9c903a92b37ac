#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    bgpy_fuzz::handshake(input);
});
