/**
 * Starts a server for a run of vitest or jest, at `MACHINS_MOCK_URL`, unless that is set. Resolves to what stops it.
 */
declare function setup(): Promise<(() => Promise<void>) | undefined>
export = setup
