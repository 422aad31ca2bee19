use sessile_core::*; use sessile_memory::*; use sessile_tower::*; use axum::{Router,routing::get,body::Body}; use tower_service::Service; use tower_layer::Layer; use std::time::Instant;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc}; use std::alloc::System;
#[global_allocator] static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
#[derive(Clone)] struct Empty<S>(S);
impl<S: Service<R>,R> Service<R> for Empty<S>{ type Response=S::Response; type Error=S::Error; type Future=S::Future; fn poll_ready(&mut self, cx:&mut std::task::Context<'_>)->std::task::Poll<Result<(),S::Error>>{self.0.poll_ready(cx)} fn call(&mut self,r:R)->S::Future{self.0.call(r)}}
#[derive(Clone)] struct EmptyL; impl<S> Layer<S> for EmptyL{ type Service=Empty<S>; fn layer(&self,s:S)->Empty<S>{Empty(s)}}
fn run<S,R>(name:&str, mut s:S) where S: Service<http::Request<Body>, Response=http::Response<R>, Error=std::convert::Infallible> {
  let mut best=u128::MAX; let mut allocs=0;
  for _ in 0..200 { let r=Region::new(GLOBAL); let t=Instant::now(); for _ in 0..200 { let req=http::Request::builder().uri("/plain").body(Body::empty()).unwrap(); let f=std::pin::pin!(s.call(req)); let mut cx=std::task::Context::from_waker(std::task::Waker::noop()); match f.poll(&mut cx){ std::task::Poll::Ready(Ok(r))=>drop(r), _=>panic!() } } best=best.min(t.elapsed().as_nanos()/200); let c=r.change(); allocs=(c.allocations+c.reallocations)/200; }
  println!("{name:30} {best} ns {allocs} allocs");
}
fn main(){ 
 let r=||Router::new().route("/plain", get(async||"ok"));
 let s=||->Session {Session::builder(MemoryStorage::new()).build()};
 if std::env::args().count()==1 { run("bare", r()); run("empty, router.layer", r().layer(EmptyL)); run("empty outside", EmptyL.layer(r())); } if std::env::args().count()==2 {run("empty outside", EmptyL.layer(r())); return}
 if std::env::args().count()==1 {run("sessile router.layer", r().layer(SessionLayer::new(s())));} run("sessile outside", SessionLayer::new(s()).layer(r()));
}
