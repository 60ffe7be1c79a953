//! Writes are whole or absent, and of two creators one wins.

use std::fs;

use futures::TryStreamExt;
use object_store::{Error as ObjectError, ObjectStoreExt, PutMode, PutPayload};

use super::*;

fn open(directory: &DiskPath) -> Store {
    Store::open(directory.to_str().unwrap(), &HashMap::new()).unwrap()
}

fn create(text: &'static str) -> (PutPayload, object_store::PutOptions) {
    (
        PutPayload::from_static(text.as_bytes()),
        PutMode::Create.into(),
    )
}

async fn text(store: &Store, path: &str) -> String {
    let bytes = store
        .objects()
        .get(&Path::from(path))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn names(directory: &DiskPath) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_put_can_be_read_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let path = Path::from("a/b/c.json");
    store.objects().put(&path, "one".into()).await.unwrap();
    store.objects().put(&path, "two".into()).await.unwrap();
    assert_eq!(text(&store, "a/b/c.json").await, "two");
    assert_eq!(names(&directory.path().join("a/b")), ["c.json"]);
}

#[tokio::test]
async fn creating_what_exists_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (payload, options) = create("first");
    store
        .objects()
        .put_opts(&Path::from("x"), payload, options)
        .await
        .unwrap();
    let (payload, options) = create("second");
    let error = store
        .objects()
        .put_opts(&Path::from("x"), payload, options)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ObjectError::AlreadyExists { .. }),
        "{error:?}"
    );
    assert_eq!(text(&store, "x").await, "first");
    assert_eq!(names(directory.path()), ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racing_creators_exactly_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for round in 0..20 {
        let path = Path::from(format!("log/{round}.json"));
        let race = (0..8).map(|racer| {
            let (store, path) = (store.clone(), path.clone());
            async move {
                let payload = PutPayload::from(format!("racer {racer}"));
                store
                    .objects()
                    .put_opts(&path, payload, PutMode::Create.into())
                    .await
                    .map(|_| racer)
            }
        });
        let ends = futures::future::join_all(race).await;
        let winners: Vec<_> = ends.iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{ends:?}");
        let losers = ends
            .iter()
            .filter(|end| matches!(end, Err(ObjectError::AlreadyExists { .. })));
        assert_eq!(losers.count(), 7);
        assert_eq!(
            text(&store, path.as_ref()).await,
            format!("racer {}", winners[0])
        );
    }
}

#[tokio::test]
async fn a_write_in_parts_appears_when_it_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let path = Path::from("deep/er/file");
    let mut upload = store.objects().put_multipart(&path).await.unwrap();
    let first = upload.put_part("one ".into());
    let second = upload.put_part("two".into());
    second.await.unwrap();
    first.await.unwrap();
    assert!(matches!(
        store.objects().head(&path).await,
        Err(ObjectError::NotFound { .. })
    ));
    upload.complete().await.unwrap();
    assert_eq!(text(&store, "deep/er/file").await, "one two");
    assert!(upload.complete().await.is_err(), "an upload ends once");
}

#[tokio::test]
async fn an_aborted_or_dropped_upload_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for abort in [true, false] {
        let mut upload = store
            .objects()
            .put_multipart(&Path::from("file"))
            .await
            .unwrap();
        upload.put_part("part".into()).await.unwrap();
        assert_eq!(names(directory.path()).len(), 1);
        if abort {
            upload.abort().await.unwrap();
        }
        drop(upload);
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_an_earlier_process_left_unfinished_is_hidden_and_removed_at_open() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("tables/spans");
    fs::create_dir_all(&inside).unwrap();
    let store = open(directory.path());
    fs::write(inside.join("x.parquet.unfinished#17"), "torn").unwrap();
    fs::write(inside.join("y.parquet"), "whole").unwrap();
    fs::write(inside.join("z.unfinished#"), "of another making").unwrap();
    let listed: Vec<_> = store.objects().list(None).try_collect().await.unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|object| object.location.as_ref())
        .collect();
    assert_eq!(
        listed,
        ["tables/spans/y.parquet", "tables/spans/z.unfinished#"]
    );
    open(directory.path());
    assert_eq!(names(&inside), ["y.parquet", "z.unfinished#"]);
}

#[tokio::test]
async fn objects_are_listed_in_the_order_of_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for number in (0..40).rev() {
        store
            .objects()
            .put(&Path::from(format!("log/{number:03}")), "x".into())
            .await
            .unwrap();
    }
    let listed: Vec<_> = store
        .objects()
        .list(Some(&Path::from("log")))
        .try_collect()
        .await
        .unwrap();
    assert!(listed.is_sorted_by(|a, b| a.location < b.location));
    let after = store
        .objects()
        .list_with_offset(Some(&Path::from("log")), &Path::from("log/036"));
    let after: Vec<_> = after
        .map_ok(|object| object.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(after, ["log/037", "log/038", "log/039"]);
}

#[tokio::test]
async fn copies_and_renames_keep_what_exists_when_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (a, b) = (Path::from("a"), Path::from("new/b"));
    store.objects().put(&a, "a".into()).await.unwrap();
    store.objects().copy_if_not_exists(&a, &b).await.unwrap();
    let again = store
        .objects()
        .copy_if_not_exists(&a, &b)
        .await
        .unwrap_err();
    assert!(matches!(again, ObjectError::AlreadyExists { .. }));
    let again = store
        .objects()
        .rename_if_not_exists(&a, &b)
        .await
        .unwrap_err();
    assert!(matches!(again, ObjectError::AlreadyExists { .. }));
    store
        .objects()
        .rename_if_not_exists(&a, &Path::from("other/c"))
        .await
        .unwrap();
    assert_eq!(text(&store, "other/c").await, "a");
    assert!(store.objects().head(&a).await.is_err());
}

#[tokio::test]
async fn a_place_below_a_bucket_sees_only_itself() {
    let store = Store::open("memory:///some/prefix", &HashMap::new()).unwrap();
    store
        .objects()
        .put(&Path::from("x"), "x".into())
        .await
        .unwrap();
    let listed: Vec<_> = store.objects().list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].location.as_ref(), "x");
}

#[tokio::test]
async fn a_directory_with_odd_letters_in_its_name_works() {
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("my data, 100% ünsafe");
    let store = open(&odd);
    store
        .objects()
        .put(&Path::from("tables/x"), "x".into())
        .await
        .unwrap();
    assert_eq!(names(&odd.join("tables")), ["x"]);
    let by_url = Store::open(store.url().as_str(), &HashMap::new()).unwrap();
    assert_eq!(text(&by_url, "tables/x").await, "x");
}

#[test]
fn a_location_that_is_none_is_refused_with_its_name() {
    let open = |location: &str| Store::open(location, &HashMap::new()).unwrap_err();
    assert!(matches!(
        open("s3://"),
        Error::Location { .. } | Error::Open { .. }
    ));
    let error = open("gopher://x/y");
    assert!(
        matches!(&error, Error::Open { location, .. } if location == "gopher://x/y"),
        "{error:?}"
    );
    assert!(matches!(
        open("s3://fast--usw2-az1--x-s3/p"),
        Error::Unordered { .. }
    ));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(
        open(file.path().to_str().unwrap()),
        Error::Directory { .. }
    ));
}
