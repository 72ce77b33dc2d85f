//! Lists in pages.

use serde_json::Value;

use crate::harness::Service;

fn ids(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_join_to_the_whole_list() {
    let service = Service::start("orders_pages").await;
    for _ in 0..7 {
        service.order(1, 5).await;
        service.order(2, 5).await;
    }
    // Equal times must not lose or repeat anyone.
    service.execute("UPDATE orders SET created_at = '2026-01-01T00:00:00Z'", &[]).await;
    for list in ["/orders", "/orders/user/1"] {
        let whole = ids(&service.get(list).await.json());
        let (mut joined, mut query) = (Vec::new(), String::new());
        loop {
            let page = service.get(&format!("{list}?limit=3{query}")).await.json();
            joined.extend(ids(&page["items"]));
            match page["next"].as_str() {
                Some(next) => query = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(joined, whole);
    }
}

#[tokio::test]
async fn the_last_page_has_no_next() {
    let service = Service::start("orders_last_page").await;
    for _ in 0..2 {
        service.order(1, 5).await;
    }
    let page = service.get("/orders?limit=2").await.json();
    assert_eq!((ids(&page["items"]).len(), &page["next"]), (2, &Value::Null));
    let page = service.get("/orders?limit=1").await.json();
    let next = page["next"].as_str().unwrap();
    // A cursor alone asks for a page too.
    let page = service.get(&format!("/orders?after={next}")).await.json();
    assert_eq!((ids(&page["items"]).len(), &page["next"]), (1, &Value::Null));
    let page = service.get("/orders/user/9?limit=1").await.json();
    assert_eq!(page, serde_json::json!({"items": [], "next": null}));
}

#[tokio::test]
async fn the_plain_list_is_bounded_and_links_on() {
    let service = Service::start("orders_plain").await;
    let insert = "INSERT INTO orders (id, user_id, amount) \
                  SELECT gen_random_uuid(), 1, 1 FROM generate_series(1, $1::int)";
    service.execute(insert, &[&1000]).await;
    let exactly = service.get("/orders").await;
    assert_eq!((ids(&exactly.json()).len(), exactly.header("link")), (1000, None));
    service.execute(insert, &[&5]).await;
    let more = service.get("/orders").await;
    assert_eq!(ids(&more.json()).len(), 1000);
    let link = more.header("link").unwrap();
    let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    let page = service.get(next).await.json();
    assert_eq!((ids(&page["items"]).len(), &page["next"]), (5, &Value::Null));
}

#[tokio::test]
async fn bad_pages_are_refused() {
    let service = Service::start("orders_bad_pages").await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("after=nonsense", "after"),
        ("after=", "after"),
        ("page=2", "page"),
    ] {
        service.get(&format!("/orders?{query}")).await.assert_problem(400, field);
        service.get(&format!("/orders/user/1?{query}")).await.assert_problem(400, field);
    }
}

#[tokio::test]
async fn a_list_can_be_of_one_status() {
    let service = Service::start("orders_of_status").await;
    let mut all = Vec::new();
    for user in [1, 2, 1, 2, 1] {
        all.push(service.order(user, 5).await);
    }
    for id in [all[0], all[1], all[4]] {
        service.execute("UPDATE orders SET status = 'FINISHED' WHERE id = $1", &[&id]).await;
    }
    let listed = |path: &'static str| {
        let service = &service;
        async move { ids(&service.get(path).await.json()["items"]) }
    };
    let text = |places: &[usize]| -> Vec<String> {
        places.iter().map(|place| all[*place].to_string()).collect()
    };
    assert_eq!(listed("/orders?status=FINISHED").await, text(&[4, 1, 0]));
    assert_eq!(listed("/orders?status=NEW").await, text(&[3, 2]));
    assert_eq!(listed("/orders/user/1?status=FINISHED").await, text(&[4, 0]));
    assert_eq!(listed("/orders/user/2?status=CANCELLED").await, text(&[]));
    let page = service.get("/orders?status=FINISHED&limit=2").await.json();
    let next = page["next"].as_str().unwrap();
    let page = service.get(&format!("/orders?status=FINISHED&limit=2&after={next}")).await.json();
    assert_eq!((ids(&page["items"]), &page["next"]), (text(&[0]), &Value::Null));
    for bad in ["finished", "", "LOST"] {
        service.get(&format!("/orders?status={bad}")).await.assert_problem(400, "status");
    }
    service.get("/orders?state=NEW").await.assert_problem(400, "state");
}
