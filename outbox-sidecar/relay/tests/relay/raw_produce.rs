//! A produce request byte by byte, for messages that no client library sends.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends `{"number": 1}` without a key, with one header of this name, to partition 0.
pub(crate) async fn with_header(broker: &str, topic: &str, name: &[u8]) {
    let mut record = vec![0]; // attributes
    record.extend([0, 0]); // timestamp and offset, relative
    varint(&mut record, -1); // no key
    bytes(&mut record, br#"{"number": 1}"#);
    varint(&mut record, 1); // headers
    bytes(&mut record, name);
    bytes(&mut record, b"value");
    let mut records = Vec::new();
    bytes(&mut records, &record);

    // What the checksum covers.
    let mut body = Vec::new();
    body.extend(0_i16.to_be_bytes()); // attributes
    body.extend(0_i32.to_be_bytes()); // last offset delta
    // Of today: a broker deletes what is older than its retention, read or not.
    let now = jiff::Timestamp::now().as_millisecond();
    body.extend(now.to_be_bytes()); // first timestamp
    body.extend(now.to_be_bytes()); // last timestamp
    body.extend((-1_i64).to_be_bytes()); // producer id
    body.extend((-1_i16).to_be_bytes()); // producer epoch
    body.extend((-1_i32).to_be_bytes()); // first sequence
    body.extend(1_i32.to_be_bytes()); // records
    body.extend(records);
    let mut batch = Vec::new();
    batch.extend(0_i64.to_be_bytes()); // first offset
    batch.extend(i32::try_from(body.len() + 9).unwrap().to_be_bytes());
    batch.extend((-1_i32).to_be_bytes()); // leader epoch
    batch.push(2); // format
    batch.extend(crc32c(&body).to_be_bytes());
    batch.extend(body);

    let mut request = Vec::new();
    request.extend(0_i16.to_be_bytes()); // produce
    request.extend(3_i16.to_be_bytes()); // its version
    request.extend(1_i32.to_be_bytes()); // correlation
    request.extend((-1_i16).to_be_bytes()); // no client id
    request.extend((-1_i16).to_be_bytes()); // no transaction
    request.extend((-1_i16).to_be_bytes()); // all replicas
    request.extend(10_000_i32.to_be_bytes()); // timeout
    request.extend(1_i32.to_be_bytes()); // topics
    request.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
    request.extend(topic.as_bytes());
    request.extend(1_i32.to_be_bytes()); // partitions
    request.extend(0_i32.to_be_bytes()); // which
    request.extend(i32::try_from(batch.len()).unwrap().to_be_bytes());
    request.extend(batch);

    let mut connection = TcpStream::connect(broker).await.unwrap();
    connection.write_i32(i32::try_from(request.len()).unwrap()).await.unwrap();
    connection.write_all(&request).await.unwrap();
    let mut answer = vec![0; usize::try_from(connection.read_i32().await.unwrap()).unwrap()];
    connection.read_exact(&mut answer).await.unwrap();
    // Correlation, one topic, its name, one partition, its number, the code.
    let code = &answer[4 + 4 + 2 + topic.len() + 4 + 4..][..2];
    assert_eq!(code, [0, 0], "the broker takes it");
}

fn bytes(into: &mut Vec<u8>, value: &[u8]) {
    varint(into, i64::try_from(value.len()).unwrap());
    into.extend(value);
}

fn varint(into: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        into.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    into.push(rest.to_le_bytes()[0]);
}

fn crc32c(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}
