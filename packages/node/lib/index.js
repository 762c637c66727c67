'use strict'

const { connectMockServer, startMockServer } = require('./server.js')
const { MockServerError, WaitTimeoutError } = require('./control.js')
const { program } = require('./program.js')

exports.MockServerError = MockServerError
exports.WaitTimeoutError = WaitTimeoutError
exports.connectMockServer = connectMockServer
exports.program = program
exports.startMockServer = startMockServer
