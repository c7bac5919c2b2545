// Package fill writes rows into a database of Postroom by SQL, for benchmarks that need millions of them: what it writes is what
// the server would have stored, had it published and delivered for a month. No server may use the database meanwhile.
package fill
