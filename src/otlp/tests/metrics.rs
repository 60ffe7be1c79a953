//! Every kind of metric becomes points, in both encodings alike.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as NumberKind;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use prost::Message;

use super::*;
use crate::model::limits::VALUE_DEPTH_MAX;
use crate::model::{Number, PointData, RawPoint, Reason};
use crate::otlp::metrics;

fn request_of(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics {
        metrics,
        ..ScopeMetrics::default()
    }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(data: Data) -> Metric {
    Metric {
        name: "m".into(),
        unit: "s".into(),
        data: Some(data),
        ..Metric::default()
    }
}

/// Decodes both encodings of a metric and checks that they agree.
fn points(data: Data) -> (Vec<RawPoint>, Rejected) {
    let request = request_of(vec![metric(data)]);
    let protobuf = metrics(&request.encode_to_vec(), Encoding::Protobuf).unwrap();
    let json = metrics(&serde_json::to_vec(&request).unwrap(), Encoding::Json).unwrap();
    assert_eq!(protobuf, json);
    let (mut batch, rejected) = protobuf;
    let points = batch
        .resources
        .pop()
        .map(|mut resource| resource.scopes.remove(0).points);
    (points.unwrap_or_default(), rejected)
}

fn data(data: Data) -> PointData {
    let (mut points, rejected) = points(data);
    assert_eq!((points.len(), rejected.message()), (1, None));
    points.remove(0).data
}

fn number(value: Option<NumberKind>) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![attribute("k", any(AnyKind::IntValue(7)))],
        start_time_unix_nano: 5,
        time_unix_nano: 6,
        value,
        ..NumberDataPoint::default()
    }
}

#[test]
fn a_gauge_gives_a_point_for_each_value() {
    let data_points = vec![
        number(Some(NumberKind::AsInt(-3))),
        number(Some(NumberKind::AsDouble(1.5))),
    ];
    let (points, rejected) = points(Data::Gauge(Gauge { data_points }));
    assert_eq!(rejected.total(), 0);
    let point = RawPoint {
        name: "m".into(),
        unit: "s".into(),
        data: PointData::Gauge(Number::Int(-3)),
        start_unix_nano: 5,
        time_unix_nano: 6,
        attributes: vec![("k".into(), crate::model::Value::Int(7))],
    };
    assert_eq!(
        points,
        [
            point.clone(),
            RawPoint {
                data: PointData::Gauge(Number::Double(1.5)),
                ..point
            }
        ]
    );
}

#[test]
fn a_sum_keeps_temporality_and_monotony() {
    let sum = Sum {
        data_points: vec![number(Some(NumberKind::AsInt(4)))],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let expected = PointData::Sum {
        value: Number::Int(4),
        temporality: 2,
        monotonic: true,
    };
    assert_eq!(data(Data::Sum(sum)), expected);
}

#[test]
fn a_histogram_keeps_its_buckets() {
    let point = HistogramDataPoint {
        count: 3,
        sum: Some(4.5),
        min: Some(0.5),
        max: Some(3.0),
        bucket_counts: vec![1, 0, u64::MAX],
        explicit_bounds: vec![0.0, 1.5],
        time_unix_nano: 6,
        attributes: vec![attribute("k", any(AnyKind::BoolValue(true)))],
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram {
        data_points: vec![point],
        aggregation_temporality: 1,
    };
    assert_eq!(
        data(Data::Histogram(histogram)),
        PointData::Histogram {
            count: 3,
            sum: Some(4.5),
            min: Some(0.5),
            max: Some(3.0),
            temporality: 1,
            buckets_json:
                r#"{"explicit_bounds":[0.0,1.5],"bucket_counts":[1,0,18446744073709551615]}"#.into(),
            form: "histogram",
        }
    );
}

#[test]
fn an_exponential_histogram_keeps_both_sides() {
    let point = ExponentialHistogramDataPoint {
        count: 9,
        scale: -2,
        zero_count: 1,
        zero_threshold: 0.25,
        positive: Some(Buckets {
            offset: -3,
            bucket_counts: vec![1, 300],
        }),
        ..ExponentialHistogramDataPoint::default()
    };
    let histogram = ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality: 2,
    };
    let PointData::Histogram {
        buckets_json,
        form,
        count,
        sum,
        ..
    } = data(Data::ExponentialHistogram(histogram))
    else {
        panic!("not a histogram")
    };
    assert_eq!((form, count, sum), ("exponential_histogram", 9, None));
    assert_eq!(
        buckets_json,
        r#"{"scale":-2,"zero_count":1,"zero_threshold":0.25,"positive":{"offset":-3,"bucket_counts":[1,300]},"negative":{"offset":0,"bucket_counts":[]}}"#
    );
}

#[test]
fn a_summary_keeps_its_quantiles() {
    let point = SummaryDataPoint {
        count: 2,
        sum: 3.0,
        quantile_values: vec![ValueAtQuantile {
            quantile: 0.5,
            value: f64::NAN,
        }],
        ..SummaryDataPoint::default()
    };
    assert_eq!(
        data(Data::Summary(Summary {
            data_points: vec![point]
        })),
        PointData::Histogram {
            count: 2,
            sum: Some(3.0),
            min: None,
            max: None,
            temporality: 0,
            buckets_json: r#"{"quantiles":[{"quantile":0.5,"value":"NaN"}]}"#.into(),
            form: "summary",
        }
    );
}

#[test]
fn one_bad_point_is_counted_and_the_others_are_kept() {
    let deep = NumberDataPoint {
        attributes: vec![attribute("deep", in_lists(VALUE_DEPTH_MAX + 1))],
        ..number(Some(NumberKind::AsInt(1)))
    };
    let data_points = vec![number(Some(NumberKind::AsInt(1))), deep, number(None)];
    let (points, rejected) = points(Data::Gauge(Gauge { data_points }));
    assert_eq!(points.len(), 1);
    assert_eq!(
        rejected.counts().collect::<Vec<_>>(),
        [(Reason::Depth, 1), (Reason::Field, 1)]
    );
    let message = rejected.message().unwrap();
    assert_eq!(
        message,
        "metric 0: attribute deep: is nested deeper than 32 (and 1 more)"
    );
}

#[test]
fn a_point_that_says_there_is_no_value_is_left_out_in_silence() {
    let stale = NumberDataPoint {
        flags: 1,
        ..number(None)
    };
    let (points, rejected) = points(Data::Gauge(Gauge {
        data_points: vec![stale],
    }));
    assert_eq!((points.len(), rejected.total()), (0, 0));
}

#[test]
fn names_are_bounded_because_every_point_repeats_them() {
    for (length, refused) in [(255, 0), (256, 2)] {
        let data_points = vec![number(Some(NumberKind::AsInt(1))); 2];
        let metric = Metric {
            name: "m".repeat(length),
            ..metric(Data::Gauge(Gauge { data_points }))
        };
        let body = request_of(vec![metric]).encode_to_vec();
        assert_eq!(
            metrics(&body, Encoding::Protobuf).unwrap().1.total(),
            refused
        );
    }
}

#[test]
fn buckets_are_bounded() {
    for (buckets, refused) in [(4096, 0), (4097, 1)] {
        let point = HistogramDataPoint {
            bucket_counts: vec![1; buckets],
            ..Default::default()
        };
        let histogram = Histogram {
            data_points: vec![point],
            aggregation_temporality: 1,
        };
        assert_eq!(points(Data::Histogram(histogram)).1.total(), refused);
    }
}

#[test]
fn empty_points_and_metrics_are_no_way_to_fill_memory() {
    let data_points = vec![NumberDataPoint::default(); 50_000];
    let body = request_of(vec![metric(Data::Gauge(Gauge { data_points }))]).encode_to_vec();
    let (batch, rejected) = metrics(&body, Encoding::Protobuf).unwrap();
    assert_eq!((batch.resources.len(), rejected.total()), (0, 1));
}

#[test]
fn a_metric_without_data_gives_no_points() {
    let body = request_of(vec![Metric {
        name: "m".into(),
        ..Metric::default()
    }])
    .encode_to_vec();
    let (batch, rejected) = metrics(&body, Encoding::Protobuf).unwrap();
    assert_eq!((batch.resources.len(), rejected.total()), (0, 0));
}
