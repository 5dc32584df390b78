//! Says where the C library is, if the environment knows: KA_LIB_DIR, the folder of libka.a. Without it nothing is
//! linked, and whoever makes the final program (a kernel's own link step) adds the library.

fn main() {
    println!("cargo:rerun-if-env-changed=KA_LIB_DIR");
    if let Ok(folder) = std::env::var("KA_LIB_DIR") {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-link-lib=static=ka");
        println!("cargo:rerun-if-changed={folder}/libka.a");
    }
}
