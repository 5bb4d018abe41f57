"""What GraphQL knows of, in its own language."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
"An ISO 8601 date and time."
scalar Time
scalar UserID
scalar ProjectID
scalar GroupID
scalar NamespaceID

type Query {
  "Who asks."
  currentUser: CurrentUser
  "The instance."
  metadata: Metadata
  "A project by its full path."
  project(fullPath: ID!): Project
  "A group by its full path."
  group(fullPath: ID!): Group
  "A group or a user's namespace by its full path."
  namespace(fullPath: ID!): Namespace
  "A user by name."
  user(id: UserID, username: String): UserCore
  "The text with who asks."
  echo(text: String!): String!
}
interface User {
  id: UserID!
  username: String!
  name: String!
  bot: Boolean!
  state: UserState!
  active: Boolean
  publicEmail: String
  webUrl: String!
  webPath: String!
  avatarUrl: String
  groupCount: Int
  namespace: Namespace
}
type CurrentUser implements User {
  id: UserID!
  username: String!
  name: String!
  bot: Boolean!
  state: UserState!
  active: Boolean
  publicEmail: String
  webUrl: String!
  webPath: String!
  avatarUrl: String
  groupCount: Int
  namespace: Namespace
}
type UserCore implements User {
  id: UserID!
  username: String!
  name: String!
  bot: Boolean!
  state: UserState!
  active: Boolean
  publicEmail: String
  webUrl: String!
  webPath: String!
  avatarUrl: String
  groupCount: Int
  namespace: Namespace
}
enum UserState { active blocked deactivated banned ldap_blocked blocked_pending_approval }
type Metadata {
  version: String!
  revision: String!
  enterprise: Boolean!
  kas: Kas!
}
type Kas { enabled: Boolean! externalUrl: String externalK8sProxyUrl: String version: String }
type Namespace {
  id: ID!
  name: String!
  path: String!
  fullName: String!
  fullPath: ID!
  description: String
  visibility: String
}
type Repository {
  empty: Boolean!
  exists: Boolean!
  rootRef: String
  branchNames(searchPattern: String!, offset: Int!, limit: Int!): [String!]
}
type Project {
  id: ID!
  name: String!
  path: String!
  fullPath: ID!
  nameWithNamespace: String!
  description: String
  visibility: String
  archived: Boolean
  createdAt: Time
  lastActivityAt: Time
  webUrl: String
  httpUrlToRepo: String
  sshUrlToRepo: String
  topics: [String!]
  ciConfigPathOrDefault: String!
  group: Group
  namespace: Namespace
  repository: Repository
}
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type ProjectConnection { nodes: [Project] count: Int! pageInfo: PageInfo! }
type GroupConnection { nodes: [Group] count: Int! pageInfo: PageInfo! }
type Group {
  id: ID!
  name: String!
  path: String!
  fullName: String!
  fullPath: ID!
  description: String
  visibility: String
  createdAt: Time
  webUrl: String!
  parent: Group
  projects(includeSubgroups: Boolean = false, first: Int, after: String): ProjectConnection!
  descendantGroups(first: Int, after: String): GroupConnection!
}
"""
