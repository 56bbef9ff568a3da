// Package movingin checks its subdirectories: one for each library that people
// come from, with a page that has the code before and after. The code after is
// a file there, and the tests see that the page shows that file.
package movingin
