//! Derives in a crate that depends on `sessile-core` alone, or re-exports it under another path.

use sessile_core::{NamespaceKey, Namespaces, Values};

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Cart {
    items: Vec<String>,
}

mod reexported {
    pub(crate) mod deep {
        pub(crate) use sessile_core as sessions;
    }
}

#[derive(Namespaces)]
#[session(crate = "crate::reexported::deep::sessions", rename_all = "PascalCase")]
struct Shop {
    cart: Cart,
}

#[test]
fn the_path_of_the_crate_can_be_set() {
    assert_eq!(Cart::ITEMS.name(), "items");
    let cart: NamespaceKey<Shop, Cart> = Shop::CART;
    assert_eq!(cart.name(), "Cart");
}
