//! Compiles `proto/` with a pure-Rust compiler, so that a clean machine needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../proto";
    let files = ["orchestration/v1/config.proto", "orchestration/v1/usage.proto"].map(|file| format!("{root}/{file}"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(&files, [root])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
