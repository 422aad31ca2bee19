//! x
use sessile_core::*; use sessile_memory::*;
fn main(){ let s: Session = Session::builder(MemoryStorage::new()).build(); let v=s.open(Visit::new());
 println!("close {} release {} start {} ro {} sclose {} destroy {}", size_of_val(&v.close()), size_of_val(&v.release()), size_of_val(&s.start()), size_of_val(&s.start_readonly()), size_of_val(&s.close()), size_of_val(&s.destroy()));
 println!("record {} outcome {} id {} err {} lock {}", size_of::<Record>(), size_of::<Outcome>(), size_of::<SessionId>(), size_of::<SessionError>(), size_of::<Lock>());
}
