#!/usr/bin/env node
'use strict'

// The command `machins-mock`: `machins mock` of the program in this package.

const { spawn } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { constants } = require('node:os')
const { program } = require('./program.js')

const args = process.argv.slice(2)
// These run until they are stopped, and need neither the terminal nor, unless it is named, stdin.
const isServer = ['serve', 'record'].includes(args.find((argument) => !argument.startsWith('-')))
const needsStdin = !isServer || args.some((argument) => argument.includes('stdin'))
if (!needsStdin) args.push('--until-stdin-closes')

let child
// Before the program is started, which may be ready before this process goes on.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM']) {
  process.on(signal, () => {
    const isOfTerminal = ['SIGINT', 'SIGQUIT'].includes(signal) && isInForeground()
    if (isServer || !isOfTerminal) child.kill(signal)
  })
}
try {
  child = spawn(program(), ['mock', ...args], {
    // The pipe is closed when this process ends, even if it is killed.
    stdio: [needsStdin ? 'inherit' : 'pipe', 'inherit', 'inherit'],
    // In a session of its own it gets no Ctrl-C beside the one that is passed on.
    detached: isServer,
  })
} catch (error) {
  fail(error)
}
child.on('error', fail)
child.on('exit', (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal])
})

function fail(error) {
  console.error(`machins-mock: ${error.message}`)
  process.exit(1)
}

/** Whether the terminal sends its signals to this process, and so to the program, which shares its group. */
function isInForeground() {
  let stat
  try {
    stat = readFileSync('/proc/self/stat', 'latin1')
  } catch {
    // Not Linux.
    return true
  }
  // The second field, in parentheses, may contain anything.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return group === foreground
}
