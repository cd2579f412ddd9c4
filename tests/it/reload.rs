//! Every way in which an editor or Kubernetes changes a file is seen, under paused time.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use webservice_monitor::config::{Config, Sources, watch};

const FIRST: &str = "- targets: [https://a.example.com/]\n";
const SECOND: &str = "- targets: [https://b.example.com/]\n";

/// An edit is seen within this time, and its absence is certain after it.
const SOON: Duration = Duration::from_secs(5);

fn sources(directory: &Path) -> Sources {
    Sources {
        targets: vec![directory.join("*.yml").display().to_string()],
        modules: directory.join("modules/none.yml"),
        modules_required: false,
        rules: Vec::new(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9115)),
    }
}

/// Runs the watcher beside `edit` and returns whether a reload was asked for within 5 s of it.
async fn seen(directory: &Path, edit: impl FnOnce()) -> bool {
    let (sender, mut reloads) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let watching = watch::watch(
        sources(directory),
        watch::Fingerprint::of(&sources(directory)),
        sender,
        stop.clone(),
    );
    let looking = async {
        // The watcher takes its first look before it waits for the first time.
        tokio::time::sleep(Duration::from_millis(100)).await;
        edit();
        let seen =
            tokio::time::timeout(SOON, reloads.recv()).await.is_ok_and(|asked| asked.is_some());
        stop.cancel();
        seen
    };
    tokio::join!(watching, looking).1
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_edit_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let file = root.join("targets.yml");
    fs::write(&file, FIRST).unwrap();
    assert!(!seen(root, || {}).await, "no edit");
    assert!(!seen(root, || fs::write(&file, FIRST).unwrap()).await, "saved without a change");
    assert!(seen(root, || fs::write(&file, SECOND).unwrap()).await, "in place");
    let rename = || {
        fs::write(root.join("targets.tmp"), FIRST).unwrap();
        fs::rename(root.join("targets.tmp"), &file).unwrap();
    };
    assert!(seen(root, rename).await, "by rename");
    assert!(seen(root, || fs::write(root.join("more.yml"), SECOND).unwrap()).await, "a new file");
    assert!(seen(root, || fs::remove_file(&file).unwrap()).await, "removed");
    assert!(seen(root, || fs::write(&file, FIRST).unwrap()).await, "created again");
}

#[tokio::test(start_paused = true)]
async fn swaps_of_a_config_map_are_seen_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for (version, text) in [("..1", FIRST), ("..2", SECOND), ("..3", FIRST)] {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("targets.yml"), text).unwrap();
    }
    symlink("..1", root.join("..data")).unwrap();
    symlink("..data/targets.yml", root.join("targets.yml")).unwrap();
    for version in ["..2", "..3"] {
        let swap = || {
            symlink(version, root.join("..data_tmp")).unwrap();
            fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        };
        assert!(seen(root, swap).await, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_edit_is_seen_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("targets.yml");
    fs::write(&file, FIRST).unwrap();
    assert!(seen(directory.path(), || fs::write(&file, "- targets: [\n").unwrap()).await);
    let errors = Config::load(&sources(directory.path())).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("targets.yml:"), "{}", errors[0]);
}
