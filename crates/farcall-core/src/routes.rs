//! Names to numbers, asked once per call while the frame is cut.

/// The number of a method in the table of the server that is being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MethodId(pub u32);

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This method.
    Method(MethodId),
    /// The service exists, the method does not.
    NoMethod,
    /// No such service.
    NoService,
}

/// A server's table of methods, as a wire sees it.
pub trait Routes: Sync {
    /// Looks up the bytes of a service and a method name as they stand in the frame.
    fn find(&self, service: &[u8], method: &[u8]) -> Found;

    /// Whether strangers may not learn what the table holds: then a wire answers by itself only
    /// what it would answer to a call of a method that does not exist.
    fn secret(&self) -> bool {
        false
    }

    /// Calls `each` with every service and method, the methods of a service in a row, if the table
    /// wants to be read by peers; false if it does not, which is the default.
    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        let _ = each;
        false
    }
}

/// A client's table: nobody calls a client.
impl Routes for () {
    fn find(&self, _: &[u8], _: &[u8]) -> Found {
        Found::NoService
    }
}
