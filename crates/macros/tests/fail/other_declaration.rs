//! A key fits only its own declaration.

use sessile_core::{Accepts, Key, NamespaceName, Namespaces, Untyped, Values};

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Account {
    user_id: u64,
}

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Cart {
    items: Vec<String>,
}

#[derive(Namespaces)]
#[session(crate = "sessile_core")]
struct Shop {
    cart: Cart,
}

#[derive(Namespaces)]
#[session(crate = "sessile_core")]
struct Forum {
    account: Account,
}

struct NotSerialised;

/// Takes keys as the methods of a session and of a namespace do.
struct Of<D>(D);

impl<D> Of<D> {
    fn set<K: Accepts<D, T>, T>(&self, _key: K, _value: T) {}
    fn namespace<K: NamespaceName<D>>(&self, _key: K) {}
}

fn check(account: Of<Account>, shop: Of<Shop>, untyped: Of<Untyped>) {
    account.set(Cart::ITEMS, Vec::<String>::new());
    account.set(&Cart::ITEMS, Vec::<String>::new());
    account.set("user_id", 7);
    account.set(Key::<Untyped, u64>::new("user_id"), 7);
    account.set(Account::USER_ID, "seven");
    untyped.set(Account::USER_ID, 7);
    untyped.set("user_id", &NotSerialised);

    shop.namespace(Forum::ACCOUNT);
    shop.namespace("cart");
    untyped.namespace(Shop::CART);
}

fn main() {}
