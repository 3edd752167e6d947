//! Real camera drivers, without a camera: a Debian kernel in a virtual machine has `vivid` (the kernel's own test camera,
//! raw formats) and `uvcvideo`, the driver of USB webcams, with a webcam that is simulated down to its USB packets and
//! can be told to misbehave. This one program is the host's side and, as first process of the machine, the guest's.
//!
//! `make test-camera` starts it; plain `cargo test` has no kernel for it and leaves it out.

#[cfg(target_os = "linux")]
mod eye;
#[cfg(target_os = "linux")]
mod guest;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod tests;
#[cfg(target_os = "linux")]
mod webcam;

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if std::process::id() == 1 {
        guest::run(&arguments);
    }
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let (Some(arch), Some(kernel)) = (option("--boot"), option("--kernel")) else {
        println!("camera: left out; `make test-camera` runs it in a virtual machine");
        return;
    };
    let own = std::env::current_exe().expect("the program knows where it lies");
    let native = std::path::PathBuf::from(env!("CARGO_BIN_EXE_gradcam"));
    // The tiny classifier is exported here, at full speed.
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let model = folder.path().join("tiny.onnx");
    let classifier = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/zoo/vgg_maxpool_head/model.onnx");
    let export = std::process::Command::new(&native)
        .args(["export", classifier, "--preprocess", "imagenet", "-o"])
        .arg(&model)
        .status()
        .expect("the program starts");
    assert!(export.success(), "the tiny model cannot be exported");
    let guest = host::Guest {
        arch,
        kernel: kernel.into(),
        init: option("--init").map_or(own, Into::into),
        program: option("--program").map_or(native, Into::into),
        model,
        filters: option("--only").into_iter().collect(),
    };
    std::process::exit(guest.run());
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("camera: left out; Video4Linux is Linux");
}
