use shop_tests::{
    burst::Burst,
    kill::{VICTIMS, round},
};
use test_support::shop::{Shop, ShopOptions};

/// One round for each process there is; `make kill-test` runs more and larger ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_any_process_loses_no_order_and_pays_none_twice() {
    let shop = Shop::start(ShopOptions::default()).await.unwrap();
    let burst = Burst { orders: 150, users: 15, connections: 8 };
    for (number, victim) in VICTIMS.into_iter().enumerate() {
        let audit = round(&shop, burst, victim, 20 * (number + 1)).await.unwrap();
        assert_eq!(audit.violations, Vec::<String>::new(), "after the death of {victim}");
        assert_eq!(audit.finished + audit.cancelled, burst.orders);
    }
    shop.stop().await;
}

/// Both engines restart in good order while orders come in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgresql_and_kafka_under_load_is_survived() {
    let shop = Shop::start(ShopOptions::default()).await.unwrap();
    let client = shop_tests::client::Client::new(shop.gateway_url()).unwrap();
    let prepared = Burst { orders: 300, users: 20, connections: 8 }.prepare(&client).await.unwrap();
    let restarts = async {
        for engine in ["kafka", "postgres"] {
            let part = shop.part(engine).unwrap();
            part.stop().await;
            part.start().await.unwrap();
        }
    };
    let (placed, ()) = futures::join!(prepared.run(crate::shop::PATIENCE), restarts);
    let audit = shop_tests::audit::audit(&client, &placed.unwrap()).await.unwrap();
    assert_eq!(audit.violations, Vec::<String>::new());
    shop.stop().await;
}
