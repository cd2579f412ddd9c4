//! Runs the checks of generated input over the inputs that are kept, so that what was found once stays fixed.
//!
//! Must not know what is checked.

use std::{fs, path::Path};

#[path = "../../../fuzz/checks/modules.rs"]
mod modules;
#[path = "../../../fuzz/checks/response.rs"]
mod response;

fn each_seed_of(name: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let mut seeds = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The test's output is shown only when it fails: the last line names the seed.
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        seeds += 1;
    }
    assert!(seeds > 3, "{seeds} seeds of {name}");
}

#[test]
fn answers_hold_what_is_promised_of_them() {
    each_seed_of("response", response::check);
}

#[test]
fn modules_hold_what_is_promised_of_them() {
    each_seed_of("modules", modules::check);
}
