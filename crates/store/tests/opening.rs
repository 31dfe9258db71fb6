//! Opening, sharing and losing the data folder.

mod common;

use common::{at, fill, fresh, generation, id, job, run, sample, session};
use pocketbench_domain::run::{RunId, SessionId};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::{Access, DATABASE_FILE, LOCK_FILE, Store, StoreError};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn code(error: StoreError) -> ErrorCode {
    let report = ErrorReport::from(error);
    assert!(report.hint.is_some(), "every error of opening says what to do next: {report:?}");
    report.code
}

#[tokio::test]
async fn the_folder_has_one_owner() {
    let (folder, store) = fresh().await;
    let error = Store::open(folder.path(), Access::Own).await.unwrap_err();
    let StoreError::AlreadyRunning { holder } = &error else { panic!("{error:?}") };
    if cfg!(unix) {
        assert_eq!(*holder, Some(std::process::id()));
    }
    assert_eq!(code(error), ErrorCode::AlreadyRunning);

    drop(store);
    let store = Store::open(folder.path(), Access::Own).await.expect("dropping releases the folder");
    store.close().await;
    Store::open(folder.path(), Access::Own).await.expect("closing releases the folder");
}

#[tokio::test]
async fn readers_look_on_while_the_owner_writes() {
    let (folder, owner) = fresh().await;
    let (first, _, _) = fill(&owner, 0x1000).await;
    let reader = Store::open(folder.path(), Access::ReadOnly).await.unwrap();
    assert_eq!(reader.runs(10).await.unwrap().len(), 1);
    let (_, _, samples) = fill(&owner, 0x2000).await;
    assert_eq!(reader.runs(10).await.unwrap().len(), 2);
    assert_eq!(reader.samples(RunId(id(0x2001))).await.unwrap(), samples);
    reader.check().await.unwrap();

    let error = reader.delete_run(first.id).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnlyFolder { .. }), "{error:?}");
    assert_eq!(owner.runs(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn looking_into_an_empty_folder_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path(), Access::ReadOnly).await.unwrap_err();
    assert_eq!(code(error), ErrorCode::NotFound);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_says_so_and_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, store) = fresh().await;
    let (run, _, samples) = fill(&store, 0x1000).await;
    store.close().await;
    std::fs::remove_file(folder.path().join(LOCK_FILE)).unwrap();
    let mode = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    // The superuser writes anyway; for it, sysfs is a folder where nothing can be created.
    let superuser = std::fs::write(folder.path().join("probe"), "").is_ok();
    let unwritable = if superuser { Path::new("/sys") } else { folder.path() };

    let error = Store::open(unwritable, Access::Own).await.unwrap_err();
    let reader = Store::open(folder.path(), Access::ReadOnly).await;
    mode(0o755);
    assert_eq!(code(error), ErrorCode::DataFolderReadOnly);
    assert_eq!(reader.unwrap().samples(run.id).await.unwrap(), samples);
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let (folder, store) = fresh().await;
    fill(&store, 0x1000).await;
    store.close().await;
    let file = folder.path().join(DATABASE_FILE);
    let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(&file)).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (9999, 'of the future', CURRENT_TIMESTAMP, 1, x'00', 0)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let before = std::fs::read(&file).unwrap();

    for access in [Access::Own, Access::ReadOnly] {
        let error = Store::open(folder.path(), access).await.unwrap_err();
        assert!(matches!(error, StoreError::DatabaseNewer { schema: 9999 }), "{error:?}");
        assert_eq!(code(error), ErrorCode::DatabaseNewer);
    }
    assert!(std::fs::read(&file).unwrap() == before, "not a byte was changed");
}

#[tokio::test]
async fn an_empty_database_must_be_set_up_by_an_owner() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(DATABASE_FILE), "").unwrap();
    let error = Store::open(folder.path(), Access::ReadOnly).await.unwrap_err();
    assert!(matches!(error, StoreError::DatabaseOlder { schema: 0 }), "{error:?}");
    code(error);
    let owner = Store::open(folder.path(), Access::Own).await.unwrap();
    assert!(owner.runs(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_header_is_left_as_it_is() {
    for garbage in [&b"this is not a database at all.."[..], &[0u8; 100], &[0xffu8; 100]] {
        let (folder, store) = fresh().await;
        fill(&store, 0x1000).await;
        store.close().await;
        let file = folder.path().join(DATABASE_FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[..garbage.len()].copy_from_slice(garbage);
        std::fs::write(&file, &bytes).unwrap();
        for access in [Access::Own, Access::ReadOnly] {
            let error = Store::open(folder.path(), access).await.unwrap_err();
            assert_eq!(code(error), ErrorCode::DatabaseCorrupt);
        }
        assert!(std::fs::read(&file).unwrap() == bytes, "not a byte was changed");
        Store::open(folder.path(), Access::Own).await.expect_err("and the lock is free again for another try");
    }
}

/// Damages every page after the schema's.
fn damage_pages(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    let page = 4096;
    for start in (page..bytes.len()).step_by(page) {
        bytes[start..start + 512].fill(0xa5);
    }
    std::fs::write(file, &bytes).unwrap();
    bytes
}

#[tokio::test]
async fn damaged_pages_are_reported_and_left_as_they_are() {
    let (folder, store) = fresh().await;
    let (run, _, _) = fill(&store, 0x1000).await;
    store.close().await;
    let file = folder.path().join(DATABASE_FILE);
    let damaged = damage_pages(&file);

    match Store::open(folder.path(), Access::ReadOnly).await {
        Err(error) => assert_eq!(code(error), ErrorCode::DatabaseCorrupt),
        Ok(store) => {
            assert_eq!(code(store.samples(run.id).await.unwrap_err()), ErrorCode::DatabaseCorrupt);
            assert_eq!(code(store.check().await.unwrap_err()), ErrorCode::DatabaseCorrupt);
        }
    }
    let error = Store::open(folder.path(), Access::Own).await.unwrap_err();
    assert_eq!(code(error), ErrorCode::DatabaseCorrupt);
    assert!(std::fs::read(&file).unwrap() == damaged, "not a byte was changed");
}

/// The parent starts this same test as a child, which measures on and on and says after each sample that it is stored.
/// The parent kills it in the middle and counts.
#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    const CHILD: &str = "POCKETBENCH_STORE_TEST_CHILD";
    if let Some(folder) = std::env::var_os(CHILD) {
        return measure_forever(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_process_loses_nothing_that_was_acknowledged", "--nocapture"])
            .env(CHILD, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let target = acknowledged + 20 + round;
        for line in lines {
            if let Some(n) = line.split("stored ").nth(1) {
                acknowledged = n.parse::<usize>().unwrap();
            }
            if acknowledged >= target {
                break;
            }
        }
        assert!(acknowledged >= target, "the child ended by itself at {acknowledged}");
        child.kill().unwrap();
        child.wait().unwrap();

        let store = Store::open(folder.path(), Access::Own).await.expect("the lock went with the process");
        store.check().await.unwrap();
        let samples = store.samples(RunId(id(0x1001))).await.unwrap();
        assert!(samples.len() >= acknowledged, "{} of {acknowledged} are there", samples.len());
        // One may have been stored whose word did not get out; none is half there.
        assert!((0u32..).zip(&samples).all(|(n, sample)| sample.repetition == n && sample.measured == generation(9)));
        assert_eq!(store.mark_interrupted(at(9)).await.unwrap().len(), 1);
        store.close().await;
    }
}

async fn measure_forever(folder: &Path) {
    let store = Store::open(folder, Access::Own).await.unwrap();
    let (run, cells) = run(0x1000);
    let mut known = job(0x1000);
    if store.update_job(&known).await.is_err() {
        store.insert_job(&known).await.unwrap();
        store.create_run(&run, &cells).await.unwrap();
        store.insert_session(&session(0x50, run.id, 0)).await.unwrap();
    }
    let mut n = store.sample_counts(run.id).await.unwrap().get(&cells[2].id).map_or(0, |c| c.counted);
    loop {
        let sample = sample(0x10_0000 + u128::from(n), &cells[2], SessionId(id(0x50)), n, generation(9));
        store.insert_sample(&sample, &[]).await.unwrap();
        n += 1;
        // Not `println!`: the test harness would keep it.
        writeln!(std::io::stdout().lock(), "stored {n}").unwrap();
        known.progress.done = u64::from(n);
        store.update_job(&known).await.unwrap();
    }
}

/// A future that is dropped half-way (someone pressed Stop) leaves all or nothing, and the store goes on.
#[tokio::test]
async fn a_dropped_write_leaves_all_or_nothing() {
    let (_folder, store) = fresh().await;
    for n in 0..40u128 {
        let (run, cells) = run(0x1000 * (n + 1));
        store.insert_job(&job(0x1000 * (n + 1))).await.unwrap();
        let mut writing = Box::pin(store.create_run(&run, &cells));
        // Each round lets it come a few steps further.
        for _ in 0..n {
            if futures::poll!(&mut writing).is_ready() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        drop(writing);
        let stored = store.cells(run.id).await.unwrap().len();
        assert!(stored == 0 || stored == cells.len(), "{stored} cells");
        assert_eq!(store.run(run.id).await.is_ok(), stored > 0);
    }
    store.set_setting("still", &"works").await.unwrap();
    store.check().await.unwrap();
}
