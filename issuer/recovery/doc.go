// Package recovery lets people back in who have lost their password. Start has a
// code sent to them, Redeem says once that it is right, and a lockout bounds how
// often anybody may guess at it. The handlers [Recovery.StartHandler],
// [Recovery.RedeemHandler] and [Recovery.UnblockHandler] mount all of it.
//
//	codes, err := recovery.New(recovery.Config{Store: store, Lockout: guesses, Secret: func() []byte { return secret }})
//
//	err = codes.Start(ctx, email, send)       // send is nil if there is no such account
//	ok, err := codes.Redeem(ctx, email, code) // true once: now set the new password
//
// # Laws
//
//   - A guess is paid for before it is looked at. With [lockout.Lockout]'s defaults
//     five wrong guesses in 24 hours block recovery for 24 hours and void the code.
//     They count together, at whichever codes they were aimed.
//   - The block touches recovery, never login: everybody who knows an address can
//     bring it about.
//   - Unknown accounts get the same answers, the same work and the same block as
//     known ones.
//   - A code is kept as an HMAC under a secret that is not in the store. It is bound
//     to its account and to the one request that it was made for. A newer code, a
//     block, an unblock and its first use end it.
//   - Asking often keeps nobody from a code: see [Config.Codes].
//   - A store that fails refuses; then no guess is looked at.
//   - Sending the right code twice locks nobody out.
//   - Each block is told once, to [Config.Notify] and the log, by the guess that used
//     up the tries. If the process ends between that charge and the notice, or if the
//     store's answer to the charge is lost, the block stands and nobody is told. Its
//     owner learns of it from the answer to the next Start. Certainty would cost one
//     more call of the store for each wrong guess, in every system, for ever.
//
// # What strangers can fill
//
// Mount a limit by address of the peer in front of start and redeem, such as
// [ratelimit.RemoteIP] with [ratelimit.Per](40, time.Minute). What it has to bound:
//
//   - A start at any address, known or not, writes one record of some 250 bytes. It
//     stays for [Config.Life], and up to Codes times as long for an address that is
//     asked for again and again.
//   - A guess writes nothing into [Config.Store] where nobody has asked for a code.
//     The lockout counts it in a store of its own, and a [lockout.MemoryStore] is
//     bounded.
//   - A guess over a [Log] does write: one record of some 100 bytes for each address
//     guessed at. It stays for the lockout's Window or Block, which are 24 hours. The
//     limit in front is all that bounds these records: with 40 a minute one peer can
//     make 57,600 a day, some 6 MB and what the store adds. Where that is too much,
//     give the lockout a MemoryStore or Redis.
//
// Three bounds of our own were rejected. Counters that several addresses share would
// let strangers block their victims. Not counting where no code is open, or sharing
// counters among unknown addresses only, would tell who has an account or is about to
// recover one. Forgetting the oldest would give guesses back.
//
// # How hard a code is to guess
//
// Codes have at least 40 bits unless [Config.InsecureShortCodes] says otherwise.
// With the defaults an attacker who guesses at one account for a year has a chance
// of 1 in 600 million; with six digits, of 1 in 550. (NIST SP 800-63B §5.2.2 asks
// for at most 100 failures in a row, which the application has to count.)
//
// # The files, in reading order
//
//   - config.go: what has to be decided, and what Notify is told
//   - recovery.go: the four steps, Start, Redeem, Unblock, Status
//   - record.go: what is stored of an account, and how it is changed
//   - code.go: codes, and how people type them
//   - handler.go: the steps over HTTP
//   - log.go: a lockout kept where the sessions are
package recovery
