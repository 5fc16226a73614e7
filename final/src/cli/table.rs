//! Tables as Docker prints them: columns at least 10 wide, 3 blanks between them, none at the end.
//! Cells are a container's own words, or an image's: what would steer the terminal is written out.

use lifecycle::printable;

/// Lays out rows of cells, the header first.
pub fn render(rows: &[Vec<String>]) -> String {
    render_wide(rows, 10)
}

/// As [`render`], with columns at least so wide: `top` has 20.
pub fn render_wide(rows: &[Vec<String>], least: usize) -> String {
    let cells = |row: &Vec<String>| row.iter().map(|cell| printable(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let longest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        (longest.unwrap_or(0) + 3).max(least)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < row.len() {
                let blanks = widths[column] - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cell_can_not_steer_the_terminal_nor_move_the_columns() {
        let text = render(&[row(&["NAMES", "STATUS"]), row(&["\x1b[2J\rboat\n", "Up"])]);
        insta::assert_snapshot!(text, @r"
        NAMES               STATUS
        \u{1b}[2J\rboat\n   Up
        ");
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell_and_three_blanks() {
        let rows = [
            row(&["CONTAINER ID", "IMAGE", "PORTS", "NAMES"]),
            row(&["0123456789ab", "debian:bookworm", "", "señora_ñu"]),
        ];
        insta::assert_snapshot!(render(&rows), @r"
        CONTAINER ID   IMAGE             PORTS     NAMES
        0123456789ab   debian:bookworm             señora_ñu
        ");
    }
}
