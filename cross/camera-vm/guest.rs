//! The first process of the machine: it mounts, loads the drivers, runs the tests, says the verdict and switches off.

use crate::host::VERDICT;
use crate::tests;
use std::ffi::CString;
use std::fs;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// One webcam input, no radio, no output.
const VIVID: &str = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0";

pub fn run(filters: &[String]) -> ! {
    mount("proc", "/proc");
    mount("sysfs", "/sys");
    mount("devtmpfs", "/dev");
    mount("tmpfs", "/tmp");
    // vhci-hcd tells at length what it has not implemented.
    let _ = fs::write("/proc/sys/kernel/printk", "3");
    load_modules();
    let mut failed = 0;
    let mut passed = 0;
    for (name, test) in tests::ALL {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(test));
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok ({seconds:.1} s)");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED ({seconds:.1} s)");
            }
        }
    }
    let up = fs::read_to_string("/proc/uptime").unwrap_or_default();
    println!("{passed} passed, {failed} failed");
    println!("the machine was up for {} s", up.split(' ').next().unwrap_or_default());
    println!("{VERDICT}{}", if passed == 0 { 125 } else { failed });
    // SAFETY: both calls take no memory of ours; the process may switch the machine off since it is root in it.
    unsafe {
        libc::sync();
        libc::reboot(libc::LINUX_REBOOT_CMD_POWER_OFF);
    }
    loop {
        std::thread::park();
    }
}

fn mount(kind: &str, target: &str) {
    let [kind, place] = [kind, target].map(|text| CString::new(text).expect("it has no zero byte"));
    // SAFETY: the strings end with a zero byte and live until the call is over; no data is given.
    let result = unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
    // Some kernels have mounted /dev themselves.
    assert!(result == 0 || target == "/dev", "{target}: {}", std::io::Error::last_os_error());
}

fn load_modules() {
    let mut modules: Vec<_> = fs::read_dir("/modules").expect("it was packed").flatten().map(|it| it.path()).collect();
    modules.sort();
    for path in modules {
        let name = path.to_string_lossy().into_owned();
        let parameters = if name.ends_with("vivid.ko") { VIVID } else { "" };
        let parameters = CString::new(parameters).expect("it has no zero byte");
        let file = fs::File::open(&path).expect("it was packed");
        // SAFETY: the descriptor is open and the string ends with a zero byte; both live until the call is over.
        let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), parameters.as_ptr(), 0) };
        assert!(result == 0, "{name}: {}", std::io::Error::last_os_error());
    }
}
