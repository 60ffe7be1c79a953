//! Each format says exactly what the columns hold.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use datafusion::arrow::array::types::Int64Type;
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    IntervalMonthDayNanoArray, ListArray, NullArray, StringArray, StructArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::{Field, IntervalMonthDayNano};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::query::{Config, Engine, Query};

/// Two rows: the extremes, and nothing.
fn batch() -> RecordBatch {
    let decimals = Decimal128Array::from(vec![Some(-123_456_789_012_345_678_901_234), None]);
    let micros = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_001), None]);
    let seconds = TimestampNanosecondArray::from(vec![Some(1_700_000_000_000_000_000), None]);
    let berlin = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_500_000), None]);
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), None, Some(3)]),
        None,
    ]);
    let when: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), None]));
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("at", when.data_type().clone(), true)),
            when,
        ),
        (
            Arc::new(Field::new("b", DataType::Binary, true)),
            Arc::clone(&bytes),
        ),
    ]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
        ("u", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        (
            "d",
            Arc::new(decimals.with_precision_and_scale(24, 12).unwrap()),
        ),
        ("f", Arc::new(Float64Array::from(vec![0.1, f64::NAN]))),
        (
            "g",
            Arc::new(Float64Array::from(vec![f64::INFINITY, -1e300])),
        ),
        (
            "t",
            Arc::new(StringArray::from(vec![Some("a\"b,\n\u{1}é"), None])),
        ),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("us", Arc::new(micros.with_timezone("UTC"))),
        ("ns", Arc::new(seconds)),
        ("tz", Arc::new(berlin.with_timezone("+02:00"))),
        ("day", Arc::new(Date32Array::from(vec![Some(19_000), None]))),
        ("l", Arc::new(list)),
        ("s", Arc::new(inner)),
        ("x", bytes),
        ("n", Arc::new(NullArray::new(2))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = Writer::new(format, &batches[0].schema()).unwrap();
    let mut out = Vec::new();
    for batch in batches {
        out.extend_from_slice(&writer.write(batch).unwrap());
    }
    out.extend_from_slice(&writer.finish(true, Duration::from_millis(7)).unwrap());
    out
}

fn text(format: Format, batches: &[RecordBatch]) -> String {
    String::from_utf8(written(format, batches)).unwrap()
}

#[test]
fn json_keeps_every_digit_and_says_what_json_cannot() {
    let json = text(Format::Json, &[batch()]);
    let (head, rows) = json.split_once("],\"rows\":[").unwrap();
    assert!(head.starts_with(r#"{"columns":[{"name":"i","type":"BIGINT"},{"name":"u","type":"BIGINT UNSIGNED"},{"name":"d","type":"DECIMAL(24,12)"}"#), "{head}");
    assert!(
        head.contains(r#"{"name":"us","type":"TIMESTAMP"}"#)
            && head.contains(r#"{"name":"l","type":"BIGINT[]"}"#)
    );
    let expected = concat!(
        r#"[-9223372036854775808,18446744073709551615,-123456789012.345678901234,0.1,null,"a\"b,\n\u0001é",true,"#,
        r#""2023-11-14T22:13:20.000001Z","2023-11-14T22:13:20Z","2023-11-14T22:13:20.500Z","2022-01-08","#,
        r#"[1,null,3],{"at":"1970-01-01T00:00:00Z","b":"/wA="},"/wA=",null],"#,
        r#"[null,null,null,null,-1.0e300,null,null,null,null,null,null,null,{"at":null,"b":null},null,null]],"#,
        r#""truncated":true,"elapsed_ms":7}"#
    );
    assert_eq!(rows, expected);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
}

#[test]
fn decimals_never_pass_through_a_double() {
    let decimals = Decimal128Array::from(vec![1, -1, 10_i128.pow(24) - 1, 20_000_000_000, 0]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(24, 12).unwrap());
    let batch = RecordBatch::try_from_iter([("usd", decimals)]).unwrap();
    for (format, separator) in [
        (Format::Json, "],["),
        (Format::Ndjson, "}\n{\"usd\":"),
        (Format::Csv, "\n"),
    ] {
        let digits = [
            "0.000000000001",
            "-0.000000000001",
            "999999999999.999999999999",
            "0.020000000000",
            "0.000000000000",
        ];
        let text = text(format, std::slice::from_ref(&batch));
        assert!(text.contains(&digits.join(separator)), "{format:?}: {text}");
    }
}

#[test]
fn batches_follow_each_other() {
    let numbers = |from| -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![from, from + 1]));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    };
    let batches = [
        numbers(1),
        RecordBatch::new_empty(numbers(0).schema()),
        numbers(3),
    ];
    assert!(text(Format::Json, &batches).contains("\"rows\":[[1],[2],[3],[4]],"));
    assert_eq!(
        text(Format::Ndjson, &batches),
        "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n"
    );
    assert_eq!(text(Format::Csv, &batches), "n\n1\n2\n3\n4\n");
    let stream =
        StreamReader::try_new(Cursor::new(written(Format::Arrow, &batches)), None).unwrap();
    assert_eq!(
        stream.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        4
    );
}

#[test]
fn no_rows_are_written_with_their_columns() {
    let empty = [RecordBatch::new_empty(batch().schema())];
    assert!(
        text(Format::Json, &empty).ends_with("\"rows\":[],\"truncated\":true,\"elapsed_ms\":7}")
    );
    assert_eq!(text(Format::Ndjson, &empty), "");
    assert_eq!(
        text(Format::Csv, &empty),
        "i,u,d,f,g,t,b,us,ns,tz,day,l,s,x,n\n"
    );
    let never = Writer::new(Format::Csv, &batch().schema()).unwrap();
    assert!(
        never
            .finish(false, Duration::ZERO)
            .unwrap()
            .starts_with(b"i,u,d,")
    );
    let never = Writer::new(Format::Json, &batch().schema()).unwrap();
    let json = never.finish(false, Duration::ZERO).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
    let parquet = written(Format::Parquet, &empty);
    assert_eq!(
        read_parquet(parquet)
            .iter()
            .map(RecordBatch::num_rows)
            .sum::<usize>(),
        0
    );
}

#[test]
fn ndjson_has_one_object_a_line() {
    let lines = text(Format::Ndjson, &[batch()]);
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["x"], "/wA=");
    assert_eq!(lines[0]["s"]["at"], "1970-01-01T00:00:00Z");
    assert!(
        lines[1].as_object().unwrap().contains_key("i"),
        "null is written, not left out"
    );
    assert!(lines[1]["f"].is_null() && lines[0]["g"].is_null());
}

#[test]
fn csv_quotes_text_and_writes_nested_values_as_json() {
    let csv = text(Format::Csv, &[batch()]);
    let expected = concat!(
        "-9223372036854775808,18446744073709551615,-123456789012.345678901234,0.1,inf,\"a\"\"b,\n\u{1}é\",true,",
        "2023-11-14T22:13:20.000001Z,2023-11-14T22:13:20Z,2023-11-14T22:13:20.500Z,2022-01-08,",
        "\"[1,null,3]\",\"{\"\"at\"\":\"\"1970-01-01T00:00:00Z\"\",\"\"b\"\":\"\"/wA=\"\"}\",/wA=,\n",
        ",,,NaN,-1e300,,,,,,,,\"{\"\"at\"\":null,\"\"b\"\":null}\",,\n",
    );
    assert_eq!(csv.split_once("n\n").unwrap().1, expected);
}

fn read_parquet(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    reader
        .build()
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect()
}

#[test]
fn arrow_and_parquet_give_back_what_was_written() {
    let batch = batch();
    let stream = StreamReader::try_new(
        Cursor::new(written(Format::Arrow, std::slice::from_ref(&batch))),
        None,
    );
    assert_eq!(stream.unwrap().next().unwrap().unwrap(), batch);
    let read = read_parquet(written(Format::Parquet, std::slice::from_ref(&batch)));
    assert_eq!(read[0].columns(), batch.columns());
}

#[test]
fn parquet_writes_intervals_as_text_and_large_answers_in_pieces() {
    let intervals = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3)]);
    let intervals: ArrayRef = Arc::new(intervals);
    let batch = RecordBatch::try_from_iter([("every", intervals)]).unwrap();
    let read = read_parquet(written(Format::Parquet, &[batch]));
    assert_eq!(read[0].schema().field(0).data_type(), &DataType::Utf8);

    let rows = GROUP_ROWS * 2 + 10;
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(
        // Text that does not compress, so that a group is full before its rows are.
        (0..rows).map(|i| {
            format!(
                "{:032x}",
                (i as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
            )
            .repeat(12)
        }),
    ));
    let batch = RecordBatch::try_from_iter([("t", column)]).unwrap();
    let mut writer = Writer::new(Format::Parquet, &batch.schema()).unwrap();
    let (mut out, mut pieces) = (Vec::new(), 0);
    for start in (0..rows).step_by(CHUNK_ROWS) {
        let bytes = writer
            .write(&batch.slice(start, CHUNK_ROWS.min(rows - start)))
            .unwrap();
        pieces += usize::from(!bytes.is_empty());
        out.extend_from_slice(&bytes);
    }
    out.extend_from_slice(&writer.finish(false, Duration::ZERO).unwrap());
    assert!(pieces >= 1, "bytes come before the end");
    let read = read_parquet(out);
    assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
}

#[test]
fn tables_are_aligned() {
    let decimals = Decimal128Array::from(vec![Some(20_000_000_000), None]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(24, 12).unwrap());
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "bcd"]));
    let at = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None]);
    let batch = RecordBatch::try_from_iter([
        ("agent", names),
        ("usd", decimals),
        ("at", Arc::new(at) as ArrayRef),
    ])
    .unwrap();
    let shown = table(&batch.schema(), std::slice::from_ref(&batch)).unwrap();
    let expected = "\
+-------+----------------+----------------------+
| agent | usd            | at                   |
+-------+----------------+----------------------+
| a     | 0.020000000000 | 2023-11-14T22:13:20Z |
| bcd   | NULL           | NULL                 |
+-------+----------------+----------------------+";
    assert_eq!(shown, expected);
    assert!(table(&batch.schema(), &[]).unwrap().contains("| agent |"));
}

#[test]
fn formats_are_known_by_name_and_media_type() {
    let all = |of: fn(Format) -> &'static str| Format::ALL.map(of);
    assert_eq!(
        all(Format::name),
        ["json", "ndjson", "csv", "arrow", "parquet"]
    );
    assert_eq!(
        all(Format::media_type)[3],
        "application/vnd.apache.arrow.stream"
    );
}

async fn body(format: Format, sql: &str) -> (Vec<Bytes>, Option<Error>) {
    let engine = Engine::new(Config {
        threads: 2,
        partitions: 1,
        rows_max: 10_000,
        ..Config::default()
    })
    .unwrap();
    let query = Query {
        sql: sql.to_owned(),
        tables: HashMap::new(),
        ..Query::default()
    };
    let mut body = Body::new(format, engine.run(query).await.unwrap()).unwrap();
    let mut chunks = Vec::new();
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(bytes) => chunks.push(bytes),
            Err(error) => {
                assert!(body.next().await.is_none(), "an error is the last item");
                return (chunks, Some(error));
            }
        }
    }
    (chunks, None)
}

#[tokio::test]
async fn bodies_come_in_small_chunks_and_end_with_what_is_known_last() {
    for (rows, truncated) in [(10_000, false), (10_001, true)] {
        let sql = format!("select value, 'x' as t from generate_series(1, {rows})");
        let (chunks, error) = body(Format::Json, &sql).await;
        assert!(error.is_none());
        assert!(chunks.len() >= 10_000 / CHUNK_ROWS, "{}", chunks.len());
        let json: serde_json::Value = serde_json::from_slice(&chunks.concat()).unwrap();
        assert_eq!(json["rows"].as_array().unwrap().len(), 10_000);
        assert_eq!(json["rows"][9_999], serde_json::json!([10_000, "x"]));
        assert_eq!(json["truncated"], truncated);
        assert!(json["elapsed_ms"].is_u64());
    }
    let (chunks, _) = body(Format::Csv, "select 1 as a where false").await;
    assert_eq!(chunks.concat(), b"a\n");
    let (chunks, _) = body(Format::Parquet, "select * from generate_series(1, 5000)").await;
    let read = read_parquet(chunks.concat());
    assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 5_000);
}

#[tokio::test]
async fn an_error_comes_alone_before_the_first_bytes_and_last_after_them() {
    let early = "select 1 / (value - 1) from generate_series(1, 100)";
    let late = "select 1 / (value - 9000) from generate_series(1, 9500)";
    for format in [Format::Json, Format::Ndjson, Format::Csv, Format::Arrow] {
        let (chunks, error) = body(format, early).await;
        assert_eq!(
            (chunks.len(), error.map(|e| e.code())),
            (0, Some("invalid")),
            "{format:?}"
        );
        let (chunks, error) = body(format, late).await;
        assert!(!chunks.is_empty(), "{format:?}");
        assert_eq!(
            error.map(|error| error.code()),
            Some("invalid"),
            "{format:?}"
        );
    }
}

#[tokio::test]
async fn a_column_that_a_format_does_not_know_is_said_so() {
    let union = DataType::Union(
        datafusion::arrow::datatypes::UnionFields::from_fields([Field::new(
            "a",
            DataType::Int64,
            true,
        )]),
        datafusion::arrow::datatypes::UnionMode::Sparse,
    );
    let schema = Arc::new(Schema::new(vec![Field::new("u", union, true)]));
    let fields = vec![schema.field(0).clone()];
    let nested = Field::new("s", DataType::Struct(fields.into()), true);
    for schema in [schema, Arc::new(Schema::new(vec![nested]))] {
        for format in [Format::Json, Format::Ndjson, Format::Csv, Format::Parquet] {
            let error = Writer::new(format, &schema).unwrap_err();
            assert_eq!(error.code(), "invalid", "{error:?}");
        }
        assert!(Writer::new(Format::Arrow, &schema).is_ok());
    }
}
