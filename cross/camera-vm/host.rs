//! The host's side: an initial root file system with this test as its first process, and QEMU to start it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than the test takes on the slowest machine that it was seen on.
const LIMIT: Duration = Duration::from_secs(900);
/// What the guest prints last.
pub const VERDICT: &str = "VM-EXIT ";

const MODULES: [&str; 3] = ["vivid", "uvcvideo", "vhci-hcd"];
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"];

struct Machine {
    loader: &'static str,
    libraries: &'static [&'static str],
    qemu: &'static [&'static str],
    console: &'static str,
}

/// Old processor models on purpose: emulating wide vectors is ten times slower than doing without.
const AMD64: Machine = Machine {
    loader: "/lib64/ld-linux-x86-64.so.2",
    libraries: &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"],
    qemu: &["qemu-system-x86_64", "-machine", "q35", "-cpu", "Nehalem"],
    console: "ttyS0",
};
const ARM64: Machine = Machine {
    loader: "/lib/ld-linux-aarch64.so.1",
    libraries: &["/usr/aarch64-linux-gnu/lib", "/lib/aarch64-linux-gnu"],
    qemu: &["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"],
    console: "ttyAMA0",
};

/// What goes into the virtual machine.
pub struct Guest {
    /// `amd64` or `arm64`.
    pub arch: String,
    /// Where Debian's kernel package is unpacked.
    pub kernel: PathBuf,
    /// This test, built for the machine.
    pub init: PathBuf,
    pub program: PathBuf,
    /// Small, for a processor that is emulated.
    pub model: PathBuf,
    /// The names of the tests that are to run; all if there is none.
    pub filters: Vec<String>,
}

impl Guest {
    /// Starts the machine and waits for its verdict: the number of tests that failed, 124 for none within the limit.
    pub fn run(&self) -> i32 {
        let machine = if self.arch == "amd64" { AMD64 } else { ARM64 };
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let root = folder.path().join("root.cpio");
        fs::write(&root, self.root(&machine)).expect("there is room for temporary files");
        let append =
            format!("console={} quiet panic=-1 mitigations=off -- {}", machine.console, self.filters.join(" "));
        let mut qemu = Command::new(machine.qemu[0])
            .args(&machine.qemu[1..])
            .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-display", "none", "-monitor", "none"])
            .args(["-serial", "stdio", "-no-reboot", "-nic", "none", "-append", &append])
            .arg("-kernel")
            .arg(newest(&self.kernel.join("boot"), "vmlinuz-"))
            .arg("-initrd")
            .arg(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}; `sh cross/host-packages.sh camera` installs it", machine.qemu[0]));
        let console = BufReader::new(qemu.stdout.take().expect("it is piped"));
        let (send, lines) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in console.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let end = Instant::now() + LIMIT;
        let mut verdict = None;
        while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            println!("{line}");
            if let Some((_, number)) = line.split_once(VERDICT) {
                verdict = number.trim().parse().ok();
                break;
            }
        }
        let _ = qemu.kill();
        let _ = qemu.wait();
        drop(lines);
        let _ = reader.join();
        verdict.unwrap_or(124)
    }

    /// A newc archive (Documentation/driver-api/early-userspace/buffer-format in the kernel's source).
    fn root(&self, machine: &Machine) -> Vec<u8> {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let read = |path: &Path| fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        files.insert("init".into(), read(&self.init));
        files.insert("bin/gradcam".into(), read(&self.program));
        files.insert("model.onnx".into(), read(&self.model));
        let library = |name: &str| {
            let places = machine.libraries.iter().map(|folder| Path::new(folder).join(name));
            let found = places.clone().find(|path| path.exists());
            read(&found.unwrap_or_else(|| panic!("{name} is in none of {:?}", machine.libraries)))
        };
        let loader = machine.loader.trim_start_matches('/');
        files.insert(loader.into(), library(loader.rsplit('/').next().expect("a path has a last part")));
        for name in LIBRARIES {
            files.insert(format!("lib/{name}"), library(name));
        }
        for (index, module) in self.modules().iter().enumerate() {
            let name = module.file_name().expect("it is a file").to_string_lossy();
            files.insert(format!("modules/{index:02}-{name}"), read(module));
        }
        archive(&files)
    }

    /// The kernel modules, each behind those that it needs.
    fn modules(&self) -> Vec<PathBuf> {
        let mut there = BTreeMap::new();
        collect_modules(&self.kernel.join("lib/modules"), &mut there);
        let mut ordered = Vec::new();
        for name in MODULES {
            add_module(&name.replace('-', "_"), &there, &mut ordered);
        }
        ordered
    }
}

fn newest(folder: &Path, prefix: &str) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    entries.flatten().map(|entry| entry.path()).filter(named).max().expect("the kernel package has a kernel")
}

fn collect_modules(folder: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_modules(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "ko") {
            let name = path.file_stem().expect("it has a name").to_string_lossy().replace('-', "_");
            found.insert(name, path);
        }
    }
}

/// What a module needs stands in the module: `depends=a,b` in its `.modinfo`. What there is no file of is built in.
fn add_module(name: &str, there: &BTreeMap<String, PathBuf>, ordered: &mut Vec<PathBuf>) {
    let Some(path) = there.get(name) else { return };
    if ordered.contains(path) {
        return;
    }
    let bytes = fs::read(path).expect("the module is readable");
    let key = b"\0depends=";
    if let Some(at) = bytes.windows(key.len()).position(|window| window == key) {
        let value: Vec<u8> = bytes[at + key.len()..].iter().copied().take_while(|&byte| byte != 0).collect();
        let names = String::from_utf8(value).expect("names of modules are ASCII");
        for needed in names.split(',').filter(|name| !name.is_empty()) {
            add_module(&needed.replace('-', "_"), there, ordered);
        }
    }
    ordered.push(path.clone());
}

fn archive(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    const FOLDER: u32 = 0o40755;
    const FILE: u32 = 0o100755;
    const DEVICE: u32 = 0o20600;
    let mut folders: Vec<String> = ["dev", "proc", "sys", "tmp"].map(String::from).into();
    for path in files.keys() {
        let parents = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        folders.extend(parents);
    }
    folders.sort();
    folders.dedup();
    let mut bytes = Vec::new();
    let mut number = 0;
    let mut add = |name: &str, mode: u32, device: (u32, u32), data: &[u8]| {
        number += 1;
        let head = [number, mode, 0, 0, 1, 0, data.len() as u32, 0, 0, device.0, device.1, name.len() as u32 + 1, 0];
        bytes.extend(b"070701");
        head.iter().for_each(|field| bytes.extend(format!("{field:08X}").bytes()));
        bytes.extend(name.bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    folders.iter().for_each(|folder| add(folder, FOLDER, (0, 0), &[]));
    // The kernel opens it for the first process before there is a /dev.
    add("dev/console", DEVICE, (5, 1), &[]);
    files.iter().for_each(|(path, data)| add(path, FILE, (0, 0), data));
    add("TRAILER!!!", 0, (0, 0), &[]);
    bytes
}
