// Package recovery lets people back in who have lost their password, with a
// code that is sent to them: asked for by Start, redeemed once, guessed at no
// more than a lockout allows.
//
//	codes, err := recovery.New(recovery.Config{Store: store, Lockout: lockout, Secret: secret})
//
//	err = codes.Start(ctx, email, send)      // send is nil if there is no such account
//	ok, err := codes.Redeem(ctx, email, code) // true once: now set the new password
//
// [Recovery.StartHandler], [Recovery.RedeemHandler] and [Recovery.UnblockHandler]
// mount the flow. A [Log] lets the lockout live in the issuer's store, where there
// is no Redis.
//
// Laws:
//
//   - A guess is paid for before it is looked at. With [lockout.Lockout]'s
//     defaults, five wrong guesses in 24 hours, at whichever codes were asked for
//     in that time, block recovery for 24 hours and void the code.
//   - The block touches recovery only, never login: whoever knows an address can
//     bring it about.
//   - Unknown accounts get the same answers, the same work and the same block as
//     known ones.
//   - A code is kept as an HMAC under a secret that is not in the store, bound to
//     its account and to the one request that it was made for. A newer code, a
//     block, an unblock and its first use end it.
//   - A failing store refuses; no guess is looked at then.
//   - Its owner doesn't lock himself out by sending the right code twice.
//
// Strangers write one small record for each address that they ask for, until its
// code expires, and have mail sent to it: put two limits in front of start, by
// address of the peer and by account ([Recovery.Start] shows the second).
//
// Codes have at least 40 bits unless [Config.InsecureShortCodes] says otherwise.
// With the defaults an attacker who guesses at one account for a year has a
// chance of 1 in 600 million; with six digits, of 1 in 550 (NIST SP 800-63B
// §5.2.2 asks for at most 100 failures in a row, which the application has to
// count).
package recovery
