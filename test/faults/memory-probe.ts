/**
 * Preloaded into the server's process by the soak: at SIGUSR2 it collects garbage and prints what is left. No part of the
 * product knows of it.
 */
process.on('SIGUSR2', () => {
  // Twice: the first one runs what is registered to be told of what was collected.
  for (let n = 0; n < 2; n += 1) globalThis.gc?.()
  process.stderr.write(`memory ${JSON.stringify(process.memoryUsage())}\n`)
})
