#!/usr/bin/env node
'use strict'

// The command `machins-mock`: `machins mock` of the program in this package.

const { spawn } = require('node:child_process')
const { constants } = require('node:os')
const { program } = require('./program.js')

const child = spawn(program(), ['mock', ...process.argv.slice(2)], { stdio: 'inherit' })
// The program ends by itself on Ctrl-C, which the terminal sends to both.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`machins-mock: ${error.message}`)
  process.exitCode = 1
})
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal]
})
