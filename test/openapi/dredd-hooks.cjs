// Dredd loads its hooks from a file, in the process that runs it: this one hands each transaction to `dredd.ts`.
const hooks = require('hooks')

hooks.beforeEach(async (transaction, done) => {
  try {
    await globalThis.orkestrateDredd(transaction)
  } catch (error) {
    transaction.fail = `cannot be prepared: ${error.message}`
  }
  done()
})
