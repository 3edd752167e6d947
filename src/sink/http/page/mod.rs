//! The page: files that the program holds, served as they are. No build step, and nothing is fetched from elsewhere.

/// A file of the page.
pub struct Asset {
    pub path: &'static str,
    /// Its content type.
    pub kind: &'static str,
    pub body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What `/` answers where the token is missing: asks for it.
pub static DOOR: Asset = Asset { path: "/", kind: HTML, body: include_bytes!("door.html") };

/// All files of the page. They say nothing of the camera. The script's modules name each other by relative paths, so they lie side by side.
pub static ASSETS: [Asset; 12] = [
    Asset { path: "/", kind: HTML, body: include_bytes!("index.html") },
    Asset { path: "/page.css", kind: CSS, body: include_bytes!("page.css") },
    Asset { path: "/icon.svg", kind: "image/svg+xml", body: include_bytes!("icon.svg") },
    Asset { path: "/door.js", kind: SCRIPT, body: include_bytes!("door.js") },
    Asset { path: "/page.js", kind: SCRIPT, body: include_bytes!("page.js") },
    Asset { path: "/dom.js", kind: SCRIPT, body: include_bytes!("dom.js") },
    Asset { path: "/link.js", kind: SCRIPT, body: include_bytes!("link.js") },
    Asset { path: "/picture.js", kind: SCRIPT, body: include_bytes!("picture.js") },
    Asset { path: "/classes.js", kind: SCRIPT, body: include_bytes!("classes.js") },
    Asset { path: "/combobox.js", kind: SCRIPT, body: include_bytes!("combobox.js") },
    Asset { path: "/controls.js", kind: SCRIPT, body: include_bytes!("controls.js") },
    Asset { path: "/files.js", kind: SCRIPT, body: include_bytes!("files.js") },
];
