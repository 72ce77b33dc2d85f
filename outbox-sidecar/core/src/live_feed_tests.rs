use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn feed(messages: usize) -> LiveFeed<u32> {
    LiveFeed::new(
        Bounds { messages, bytes: 1000, age: PATIENCE },
        BatchLimit { messages: 4, bytes: 100 },
        Backoff { initial: Duration::from_millis(100), maximum: Duration::from_secs(1) },
    )
}

fn partition(partition: i32) -> Partition {
    Partition { topic: 0, partition }
}

fn numbers(batch: &LiveBatch<u32>) -> Vec<u32> {
    batch.entries.iter().map(|entry| entry.message).collect()
}

fn taken(_: &u32) -> Option<Outcome> {
    Some(Outcome::Done)
}

fn refused(_: &u32) -> Option<Outcome> {
    Some(Outcome::Suspect)
}

#[test]
fn a_partition_goes_in_order_one_request_at_a_time_and_others_beside_it() {
    let (mut feed, now) = (feed(100), Instant::now());
    for number in 0..6 {
        feed.push(partition(0), number, 1, now);
    }
    feed.push(partition(1), 10, 1, now);
    let first = feed.next_batch(now).unwrap();
    assert_eq!((numbers(&first), first.gap), (vec![0, 1, 2, 3], Some(Gap::Start)));
    let other = feed.next_batch(now).unwrap();
    assert_eq!(numbers(&other), [10]);
    assert!(feed.next_batch(now).is_none(), "both partitions are busy");
    assert_eq!(feed.complete(first, taken, now, 0).taken, 4);
    let second = feed.next_batch(now).unwrap();
    assert_eq!((numbers(&second), second.gap), (vec![4, 5], None));
    feed.complete(second, taken, now, 0);
    feed.complete(other, taken, now, 0);
    assert_eq!((feed.len(), feed.bytes(), feed.in_flight()), (0, 0, 0));
}

#[test]
fn what_fails_waits_and_comes_again_in_smaller_batches_with_its_gap() {
    let (mut feed, now) = (feed(100), Instant::now());
    for number in 0..4 {
        feed.push(partition(0), number, 1, now);
    }
    let batch = feed.next_batch(now).unwrap();
    assert_eq!(feed.complete(batch, refused, now, 0).retried, 4);
    assert_eq!((feed.parked(), feed.next_batch(now).is_none()), (1, true));
    let later = feed.next_wakeup(true).unwrap();
    assert_eq!(feed.next_wakeup(false), Some(now + PATIENCE));
    assert!(later > now && later < now + PATIENCE);
    let batch = feed.next_batch(later).unwrap();
    assert_eq!((numbers(&batch), batch.gap), (vec![0, 1], Some(Gap::Start)));
    let rejected = |number: &u32| {
        Some(if *number == 0 { Outcome::Rejected("no".into()) } else { Outcome::Done })
    };
    let completed = feed.complete(batch, rejected, later, 0);
    assert_eq!((completed.taken, completed.rejected), (1, vec!["no".to_owned()]));
    let batch = feed.next_batch(later).unwrap();
    assert_eq!((numbers(&batch), batch.gap), (vec![2, 3], None));
}

#[test]
fn the_oldest_make_room_and_the_next_tells_of_it() {
    let (mut feed, now) = (feed(3), Instant::now());
    feed.push(partition(1), 1, 1, now);
    for number in 2..=5 {
        feed.push(partition(0), number, 1, now + Duration::from_millis(number.into()));
    }
    assert_eq!(feed.take_dropped(), Dropped { expired: 0, overflow: 2 });
    let batch = feed.next_batch(now).unwrap();
    assert_eq!((numbers(&batch), batch.gap), (vec![3, 4, 5], Some(Gap::Dropped)));
    // Those in flight count; the new one has no place beside them but its own.
    feed.push(partition(1), 6, 1, now);
    assert_eq!((feed.len(), feed.take_dropped().overflow), (3, 1));
    // By bytes as well, though never the only one.
    let mut feed = self::feed(100);
    feed.push(partition(0), 1, 5000, now);
    assert_eq!(feed.len(), 1);
    feed.push(partition(0), 2, 10, now);
    assert_eq!((feed.len(), feed.bytes()), (1, 10));
}

#[test]
fn what_is_not_taken_in_time_is_dropped() {
    let (mut feed, now) = (feed(100), Instant::now());
    feed.push(partition(0), 1, 1, now);
    feed.push(partition(0), 2, 1, now + PATIENCE / 2);
    let batch = feed.next_batch(now).unwrap();
    feed.expire(now + PATIENCE * 2);
    assert_eq!(feed.len(), 2, "what is in flight is not dropped meanwhile");
    feed.complete(batch, refused, now + PATIENCE, 0);
    feed.expire(now + PATIENCE);
    assert_eq!(feed.take_dropped(), Dropped { expired: 1, overflow: 0 });
    let batch = feed.next_batch(now + PATIENCE * 2).unwrap();
    assert_eq!((numbers(&batch), batch.gap), (vec![2], Some(Gap::Dropped)));
}
