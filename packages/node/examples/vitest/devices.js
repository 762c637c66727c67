// The code under test.

export async function validate(baseUrl, orgKey, deviceId) {
  const reply = await fetch(`${baseUrl}/api/v1/devices/validate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-org-key': orgKey },
    body: JSON.stringify({ deviceId }),
  })
  if (!reply.ok) throw new Error(`no decision: status ${reply.status}`)
  return reply.json()
}
