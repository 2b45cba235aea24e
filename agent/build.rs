//! How the program is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Where the program's addresses are in itself, packed: 170 kB less to read and to keep in memory (glibc 2.36).
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
