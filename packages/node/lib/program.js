'use strict'

const { existsSync } = require('node:fs')
const path = require('node:path')

/**
 * Returns the path of `machins`: of the variable `MACHINS`, in the package for this platform, or in
 * this package. One on the `PATH` is not used: a Python package of the vendor's has a script of this
 * name.
 */
function program() {
  if (process.env.MACHINS) return process.env.MACHINS
  const name = path.join('bin', process.platform === 'win32' ? 'machins.exe' : 'machins')
  const own = path.join(__dirname, '..', name)
  if (existsSync(own)) return own
  const platform = `machins-mock-${process.platform}-${process.arch}`
  try {
    return require.resolve(`${platform}/${name}`)
  } catch {
    throw new Error(
      `machins-mock has no program for this platform: install ${platform}, ` +
        'or install machins-cli and set MACHINS to the path of its program',
    )
  }
}

module.exports = { program }
