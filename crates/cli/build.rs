//! Lets the executable find llama.cpp's libraries beside itself or in `../lib/pocketbench`.

fn main() {
    let rpath = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => "$ORIGIN:$ORIGIN/../lib/pocketbench",
        Ok("macos") => "@executable_path:@executable_path/../Frameworks",
        _ => return,
    };
    for path in rpath.split(':') {
        println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{path}");
    }
}
