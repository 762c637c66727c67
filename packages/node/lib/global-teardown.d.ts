/** Stops the server that `global-setup` has started. */
declare function teardown(): Promise<void>
export = teardown
