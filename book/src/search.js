// The words that somebody searches for, in plain letters, as search.rs has them in the index. It stands in
// front of the index itself, which names the function and can't be read before it is known.
(function () {
    function plainLetters(word) {
        return word.toLowerCase().normalize('NFD').replace(/[\u0300-\u036f]/g, '')
            .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
    }
    elasticlunr.Pipeline.registerFunction(plainLetters, 'plainLetters');
    // By this one the words are found that are shown in bold in the list of what was found.
    elasticlunr.stemmer = plainLetters;
})();
