/// <reference lib="esnext.disposable" />

/** A mock server of the MachineID and machins APIs, for tests. */

export type Plan = 'free' | 'pro' | 'scale' | 'max'
export type Tier = 'starter' | 'verified'
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Conditions on a request or a webhook, all of which must be met. */
export interface FaultConditions {
  /** HTTP method; requests only. */
  method?: string
  /** Glob over the path, such as `/api/v1/trades/**`. */
  path?: string
  /** Slug of the agent, or a glob over it. */
  agent?: string
  /** Device id in the body, or a glob over it; requests only. */
  device?: string
  /** Headers and their values; requests only. */
  header?: Record<string, string>
  /** Query parameters and their values; requests only. */
  query?: Record<string, string>
  /** What the JSON body must contain: an object matches if each of its fields does. */
  bodyContains?: Json
  /** Type of the event; webhooks only. */
  event?: string
}

/** Conditions on what is waited for, all of which must be met. */
export interface Conditions extends FaultConditions {
  /** HTTP status of the reply. */
  status?: number
}

/** Which requests or webhooks a fault hits. */
export interface FaultOptions extends FaultConditions {
  /** Number of hits after which the fault ends; by default it does not end. */
  times?: number
  /** Number of matches that are let through before the first hit. */
  after?: number
  /** Probability with which a match is hit, from 0 to 1. */
  probability?: number
}

/** A request that the world received. Keys are masked. */
export interface RequestRecord {
  seq: number
  method: string
  path: string
  query: Record<string, string>
  headers: Record<string, string>
  body: Json
  agent: string | null
  device: string | null
  /** `null` if no reply was sent. */
  status: number | null
  reply: Json
  fault: string | null
  received_at: string
  latency_ms: number | null
}

/** An attempt to post a webhook. */
export interface WebhookAttempt {
  n: number
  event: string
  subscription_id: string | null
  agent: string | null
  url: string
  body: Json
  sent_at: string
  /** `null` if there was no answer. */
  status: number | null
  attempt: number
  signature: string | null
  error: string | null
  fault: string | null
  resend_of: number | null
}

/** An agent of machins, as it was created. */
export interface Agent {
  id: string
  slug: string
  name: string
  /** Key of the agent, `at_…`, for the `X-API-Key` header. */
  apiKey: string
  tier: Tier
  /** Path at which a person claims the agent. */
  claimUrl: string
}

/** An org of MachineID. */
export interface Org {
  /** Key of the org, `org_…`, for the `x-org-key` header. */
  readonly key: string
  /** Changes the settings that are given, and returns all of them. */
  update(settings: {
    plan?: Plan
    executionEnabled?: boolean
    frozen?: boolean
    entitlementActive?: boolean
    available?: boolean
  }): Promise<Record<string, Json>>
}

/** The virtual time of a world. */
export interface Clock {
  now(): Promise<Date>
  /** Moves the time forward. Whatever falls due on the way happens, in order, before this returns. */
  advance(milliseconds: number): Promise<Date>
  set(now: Date): Promise<Date>
  /** Lets the time stand still until it is moved or thawed. */
  freeze(): Promise<Date>
  /** Lets the time pass again. */
  unfreeze(): Promise<Date>
}

/** A fault that is active until it is removed, or has hit `times` times. */
export interface Fault {
  readonly id: number
  /** Returns how many requests or webhooks the fault has hit. */
  hits(): Promise<number>
  remove(): Promise<void>
}

/** Failures on demand: each method adds one, and the options say what is hit, and how often. */
export interface Faults {
  /** Adds a fault as the control API describes it. */
  add(fault: Record<string, unknown>): Promise<Fault>
  /** Returns the faults in the order in which they were added, those that have ended too. */
  list(): Promise<({ id: number; kind: string; hits: number } & Record<string, Json>)[]>
  clear(): Promise<void>
  /**
   * Answers with this status, without executing the request. A `body` that is a string is sent as
   * text, any other value as JSON; `retryAfter` is a number of seconds or an HTTP date.
   */
  status(
    status: number,
    options?: FaultOptions & { body?: Json; retryAfter?: number | string },
  ): Promise<Fault>
  /** Delays the execution of the request. */
  delay(milliseconds: number, options?: FaultOptions): Promise<Fault>
  /** Closes the connection, without executing the request. */
  dropBefore(options?: FaultOptions): Promise<Fault>
  /** Executes the request, and closes the connection without a reply. */
  dropAfter(options?: FaultOptions): Promise<Fault>
  /** Executes the request, and closes the connection in the middle of the reply. */
  truncate(options?: FaultOptions): Promise<Fault>
  /** Executes the request, and answers with bytes that are not JSON. */
  garbage(options?: FaultOptions): Promise<Fault>
  /** Executes the request, and sends the reply piece by piece over this time, by default 5000. */
  slowBody(milliseconds?: number, options?: FaultOptions): Promise<Fault>
  /**
   * Hits webhooks instead of requests. `milliseconds` is how long a delay takes, or how long a
   * reordered webhook waits for the next.
   */
  webhook(
    kind: 'duplicate' | 'delay' | 'drop' | 'reorder' | 'bad_signature',
    options?: FaultOptions & { milliseconds?: number },
  ): Promise<Fault>
}

/** How many records are waited for, and how long, in milliseconds. */
export interface WaitOptions {
  /** By default 1. */
  count?: number
  /** By default 5000. */
  timeout?: number
}

/** A world: all that a server has, independent of other worlds on the same server. */
export interface World {
  /** URL under which all routes of the world are, the control API at `/_mock` included. */
  readonly url: string
  /** Base URL for clients of MachineID. */
  readonly machineidBaseUrl: string
  /** Base URL for clients of machins. */
  readonly machinsBaseUrl: string
  /** Name of the world; `undefined` for the server's own. */
  readonly name: string | undefined
  /** Virtual time of the world. */
  readonly clock: Clock
  /** Failures on demand. */
  readonly faults: Faults

  /** Calls the control API, for what has no method here: `control('GET', 'worlds')`. */
  control(method: string, path: string, body?: unknown): Promise<any>
  /** Empties the world: no orgs, agents, faults or records, and real time. */
  reset(): Promise<void>
  /** Creates an empty world on the same server, to be removed with `delete`. */
  createWorld(options?: { name?: string; seed?: number }): Promise<World>
  /** Removes a world that `createWorld` made, with everything in it. */
  delete(): Promise<void>
  /** Creates an org of MachineID. A key of your own begins with `org_`. */
  createOrg(options?: { plan?: Plan; key?: string }): Promise<Org>
  /**
   * Creates an agent of machins, with 500 credits unless others are given. A key of your own begins
   * with `at_`.
   */
  createAgent(options?: {
    slug?: string
    name?: string
    credits?: number | string
    tier?: Tier
    apiKey?: string
  }): Promise<Agent>
  /**
   * Adds orgs, agents, listings, trades and subscriptions, or nothing on an error. Returns
   * what was created, keys included.
   */
  loadFixtures(fixtures: Record<string, unknown>): Promise<Record<string, any>>
  /** Returns all listings, in order of creation. */
  listings(): Promise<Record<string, any>[]>
  /** Returns all trades, in order of creation. */
  trades(): Promise<Record<string, any>[]>
  /** Settles the dispute of a trade, and returns the trade. */
  resolveTrade(id: string, outcome: 'refund' | 'release'): Promise<Record<string, any>>
  /** Returns all accounts and their balances, whose sum is zero. */
  ledger(): Promise<{ accounts: Record<string, Json>[]; total: string; balanced: boolean }>
  /** Returns the requests that the world received, oldest first. */
  requests(filter?: {
    method?: string
    /** Glob over the path. */
    path?: string
    agent?: string
    device?: string
    status?: number
    /** Leaves out those up to this `seq`. */
    since?: number
    limit?: number
  }): Promise<RequestRecord[]>
  /**
   * Waits until matching requests have been answered, and returns them. Those that came before the
   * call count. Rejects with `WaitTimeoutError`, which lists what came instead.
   */
  waitForRequests(match?: Conditions, options?: WaitOptions): Promise<RequestRecord[]>
  clearRequests(): Promise<void>
  /** Returns every attempt to post a webhook, oldest first. */
  webhooks(): Promise<WebhookAttempt[]>
  /** Waits until matching webhooks have been posted, and returns the attempts. */
  waitForWebhooks(match?: Conditions, options?: WaitOptions): Promise<WebhookAttempt[]>
  /** Posts the webhook of this attempt once more, and returns the new attempt. */
  resendWebhook(n: number): Promise<WebhookAttempt>
  /** Returns the whole world, keys included, for `restore`. */
  snapshot(): Promise<unknown>
  /** Replaces the world with one from `snapshot`. */
  restore(snapshot: unknown): Promise<void>
}

/** A server of its own process, which is a world itself and has others beside it. */
export interface MockServer extends World, AsyncDisposable {
  /**
   * Stops the server. Requests under way are answered first, within 5 seconds. `await using` calls it at
   * the end of the block.
   */
  stop(): Promise<void>
}

/** The server refused a call of the control API, or could not be started. */
export class MockServerError extends Error {
  /** HTTP status of the refusal; `undefined` if there was no reply. */
  readonly status: number | undefined
  /** Stable code of the refusal, such as `DUPLICATE`; `undefined` if there was no reply. */
  readonly code: string | undefined
}

/** What was waited for did not happen within its time. */
export class WaitTimeoutError extends MockServerError {
  /** Records that matched, which were too few. */
  readonly matched: unknown[]
  /** Records that came instead, the newest 50, oldest first. */
  readonly others: unknown[]
}

/**
 * Starts a server on a free port. It also ends when this process does, even if that is killed, and
 * does not keep it running. Rejects with `MockServerError` if it does not start.
 */
export function startMockServer(options?: {
  /** With a seed, ids and keys are the same in each run. */
  seed?: number
  /** Further options of `machins mock serve`. */
  args?: string[]
  /** Whether each request is logged on stderr; by default not. */
  log?: boolean
}): Promise<MockServer>

/** Uses a running server, by default the one at `MACHINS_MOCK_URL`. */
export function connectMockServer(url?: string): World

/**
 * Returns the path of the program `machins`: of the variable `MACHINS`, or of this package. Throws if
 * there is none for this platform.
 */
export function program(): string
