//! Who may do what. A handler names in its signature the right that it needs, so that it cannot run without; what it
//! gets is the proof of the right together with its scope and, where the path names a resource, that resource.
//!
//! Roles are the only source of rights so far, and each right reaches everything.

use std::fmt::Debug;
use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde_json::Value;

use super::logins::Logins;
use super::principal::Principal;
use crate::error::ApiError;
use crate::store::users::UserRole;
use crate::store::{Actor, Scope, Store, StoreError};
use crate::web::extract::{JsonBody, ResourceId};

/// Whether a right only shows things, or changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Read,
    Change,
}

/// A type that stands for one [`Right`], for the signature of a handler.
pub trait Needed: Debug + Send + Sync + 'static {
    /// The right.
    const RIGHT: Right;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident: $action:ident,)*) => {
        /// What a user may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Right {
            $($(#[$doc])* $name,)*
        }

        impl Right {
            const fn action(self) -> Action {
                match self {
                    $(Self::$name => Action::$action,)*
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}

            impl Needed for $name {
                const RIGHT: Right = Right::$name;
            }
        )*
    };
}

rights! {
    /// Read the audit log.
    ReadAudit: Read,
    /// Read groups, with secrets masked.
    ReadGroups: Read,
    /// Make, change and delete groups.
    ChangeGroups: Change,
    /// Read what checks of groups came to.
    ReadHealthChecks: Read,
    /// Have groups checked, and their providers asked. That may cost money.
    RunHealthChecks: Change,
    /// Read usage records.
    ReadLogs: Read,
    /// Price usage records again.
    RepriceUsage: Change,
    /// Read what is known of nodes.
    ReadNodes: Read,
    /// Tell nodes what to do.
    ChangeNodes: Change,
    /// Read which vendors there are.
    ReadProviders: Read,
    /// Read proxy keys, without their values.
    ReadProxyKeys: Read,
    /// Make, change and delete proxy keys.
    ChangeProxyKeys: Change,
    /// Read the status of the control plane.
    ReadStatus: Read,
}

/// The resources for which `role` has `right`.
fn granted(role: UserRole, right: Right) -> Result<Scope, ApiError> {
    match (role, right.action()) {
        (UserRole::Admin | UserRole::Operator, _) | (UserRole::Viewer, Action::Read) => Ok(Scope::Everything),
        (UserRole::Viewer, Action::Change) => Err(ApiError::Forbidden("a viewer may not change anything")),
    }
}

/// The proof that the caller has the right `R`.
#[derive(Clone, Debug)]
pub struct Permitted<R> {
    /// The caller.
    pub principal: Principal,
    /// The resources that the right reaches.
    pub scope: Scope,
    right: PhantomData<R>,
}

impl<R> Permitted<R> {
    /// The caller as the audit log names it.
    pub fn actor(&self) -> Actor {
        self.principal.actor()
    }
}

impl<S, R> FromRequestParts<S> for Permitted<R>
where
    S: Send + Sync,
    Logins: FromRef<S>,
    R: Needed,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let principal = Principal::from_request_parts(parts, state).await?;
        let scope = granted(principal.role, R::RIGHT)?;
        Ok(Self { principal, scope, right: PhantomData })
    }
}

/// A resource that is read and changed by the id in the path.
pub trait Guarded: Sized + Send {
    /// The right to read it.
    type Read: Needed;
    /// The right to change it.
    type Change: Needed;
    /// The answer where the scope holds no resource of the id.
    const NOT_FOUND: ApiError;

    /// The resource of this id, where there is one in `scope`.
    fn find(store: &Store, scope: &Scope, id: &str) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;
}

/// The resource that the path names, with the right to read it.
#[derive(Debug)]
pub struct Reading<T: Guarded> {
    /// The proof of the right.
    pub permit: Permitted<T::Read>,
    /// The resource as it is stored.
    pub resource: T,
}

impl<S, T> FromRequestParts<S> for Reading<T>
where
    S: Send + Sync,
    Logins: FromRef<S>,
    T: Guarded,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let permit = Permitted::<T::Read>::from_request_parts(parts, state).await?;
        let ResourceId(id) = ResourceId::from_request_parts(parts, state).await?;
        let logins = Logins::from_ref(state);
        let resource = T::find(logins.store(), &permit.scope, &id).await?.ok_or(T::NOT_FOUND)?;
        Ok(Self { permit, resource })
    }
}

/// The resource that the path names, with the right to change it, and the body that says how.
#[derive(Debug)]
pub struct Editing<T: Guarded> {
    /// The proof of the right.
    pub permit: Permitted<T::Change>,
    /// The resource as it is stored.
    pub resource: T,
    /// The JSON that was sent.
    pub body: Value,
}

impl<S, T> FromRequest<S> for Editing<T>
where
    S: Send + Sync,
    Logins: FromRef<S>,
    T: Guarded,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let permit = Permitted::<T::Change>::from_request_parts(&mut parts, state).await?;
        let ResourceId(id) = ResourceId::from_request_parts(&mut parts, state).await?;
        // A body that cannot be read is refused before the resource is looked for.
        let JsonBody(body) = JsonBody::from_request(Request::from_parts(parts, body), state).await?;
        let logins = Logins::from_ref(state);
        let resource = T::find(logins.store(), &permit.scope, &id).await?.ok_or(T::NOT_FOUND)?;
        Ok(Self { permit, resource, body })
    }
}
